//! Keys that have moved: the former names are read, and said.

use config::{Value, ValueKind};

use super::ConfigError;

/// The section that was.
const FORMER: &str = "limits";

/// A key of the former section, and where it is now.
const MOVED: [(&str, &str, &str); 13] = [
    ("pending_timeout", "question_set", "pending_timeout"),
    ("max_retries", "question_set", "max_retries"),
    ("retries_per_run", "question_set", "retries_per_run"),
    ("cleanup_batch", "question_set", "cleanup_batch"),
    ("source_batch", "source", "cleanup_batch"),
    ("member_batch", "learn_stats", "member_batch"),
    ("streak_batch", "learn_stats", "streak_batch"),
    ("outbox_batch", "outbox", "batch"),
    ("outbox_attempts", "outbox", "attempts"),
    ("prune_batch", "retention", "batch"),
    ("streams_per_member", "notification", "streams_per_member"),
    ("streams", "notification", "streams"),
    ("notification_poll", "notification", "poll"),
];

/// Takes what stands under former names to the new ones. A sentence for each that was met.
///
/// # Errors
/// When a key is given by both names, or none of the former section's keys has this name.
pub(super) fn adopt(raw: &mut config::Config) -> Result<Vec<String>, ConfigError> {
    let refuse = |text: String| Err(ConfigError::Value(text));
    let ValueKind::Table(root) = &mut raw.cache.kind else {
        return Ok(Vec::new());
    };
    let Some(former) = root.remove(FORMER) else {
        return Ok(Vec::new());
    };
    let ValueKind::Table(mut former) = former.kind else {
        return refuse(format!("`{FORMER}` is a section"));
    };
    let mut sentences = Vec::new();
    for (old, section, key) in MOVED {
        let Some(value) = former.remove(old) else {
            continue;
        };
        let section_now = root
            .entry(section.to_owned())
            .or_insert_with(|| Value::new(None, ValueKind::Table(config::Map::new())));
        let ValueKind::Table(now) = &mut section_now.kind else {
            return refuse(format!("`{section}` is a section"));
        };
        if now.contains_key(key) {
            return refuse(format!(
                "{FORMER}.{old} is the former name of {section}.{key}: only one of them may be set"
            ));
        }
        now.insert(key.to_owned(), value);
        sentences.push(format!(
            "{FORMER}.{old} is called {section}.{key} now; the former name is still read"
        ));
    }
    match former.keys().next() {
        Some(unknown) => refuse(format!("unknown field `{unknown}` in [{FORMER}]")),
        None => Ok(sentences),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigError, Layers, load, settings};

    fn layers(toml: &str, environment: &[(&str, &str)]) -> (tempfile::TempDir, Layers) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pullit.toml");
        std::fs::write(&path, toml).unwrap();
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let layers = Layers {
            file: Some(path),
            environment,
            flags: Vec::new(),
        };
        (folder, layers)
    }

    fn read(toml: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let (_folder, layers) = layers(toml, environment);
        Ok(load(&layers)?.0)
    }

    #[test]
    fn former_names_are_read_from_files_and_the_environment() {
        let toml = super::MOVED.map(|(old, _, _)| match old {
            "pending_timeout" | "notification_poll" => format!("{old} = \"7s\"\n"),
            old => format!("{old} = 7\n"),
        });
        let config = read(&format!("[limits]\n{}", toml.concat()), &[]).unwrap();
        assert_eq!(config.outdated.len(), super::MOVED.len());
        assert_eq!(config.question_set.pending_timeout.to_string(), "7s");
        assert_eq!(config.question_set.max_retries, 7);
        assert_eq!(config.source.cleanup_batch, 7);
        assert_eq!(config.learn_stats.streak_batch, 7);
        assert_eq!((config.outbox.batch, config.outbox.attempts), (7, 7));
        assert_eq!(config.retention.batch, 7);
        assert_eq!(config.notification.poll.to_string(), "7s");

        let config = read("", &[("PULLIT_LIMITS__STREAMS", "9")]).unwrap();
        assert_eq!(config.notification.streams, 9);
        assert_eq!(
            config.outdated,
            ["limits.streams is called notification.streams now; the former name is still read"]
        );
    }

    #[test]
    fn new_names_are_read_without_a_word() {
        let toml = "[question_set]\nmax_retries = 5\n[source]\ncleanup_batch = 6\n";
        let config = read(toml, &[("PULLIT_LEARN_STATS__MEMBER_BATCH", "8")]).unwrap();
        assert_eq!(config.question_set.max_retries, 5);
        assert_eq!(config.source.cleanup_batch, 6);
        assert_eq!(config.learn_stats.member_batch, 8);
        assert!(config.outdated.is_empty());
    }

    #[test]
    fn a_key_that_is_given_by_both_names_is_refused() {
        let toml = "[notification]\nstreams = 5\n";
        let error = read(toml, &[("PULLIT_LIMITS__STREAMS", "6")]).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("limits.streams"), "{error}");
        assert!(error.contains("notification.streams"), "{error}");
    }

    #[test]
    fn what_was_never_a_limit_is_refused_by_name() {
        let error = read("[limits]\ncleanup_bach = 5\n", &[]).unwrap_err();
        assert!(error.to_string().contains("cleanup_bach"), "{error}");
    }

    #[test]
    fn settings_show_the_new_name_and_where_the_value_came_from() {
        let (_folder, layers) = layers("[limits]\nstreams = 5\n", &[]);
        let (config, raw) = load(&layers).unwrap();
        let shown = settings(&config, &raw, &layers.flags);
        assert!(
            shown
                .iter()
                .all(|setting| !setting.key.starts_with("limits"))
        );
        let streams = shown
            .iter()
            .find(|setting| setting.key == "notification.streams");
        let streams = streams.unwrap();
        assert_eq!(streams.value, "5");
        assert!(
            streams.origin.ends_with("pullit.toml"),
            "{}",
            streams.origin
        );
    }
}
