//! The effective settings, secrets masked, with where each came from.

use serde::Serialize;
use serde_json::Value;

use super::Config;

/// One effective setting, for `pullit config show`.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Dotted key.
    pub key: String,
    /// Value, masked where it is secret.
    pub value: String,
    /// `default`, a file, `environment` or `flag`.
    pub origin: String,
}

const MASK: &str = "********";

/// Every setting, with where it came from.
pub fn settings(config: &Config, raw: &config::Config, flags: &[(String, String)]) -> Vec<Setting> {
    let mut effective = config.clone();
    effective.database.url = config.database_url();
    effective.storage.url = config.storage_url();
    effective.generator.url = config.generator.effective_url().to_owned();
    effective.storage.path_style = Some(config.s3_path_style());
    let mut list = Vec::new();
    if let Ok(tree) = serde_json::to_value(&effective) {
        flatten("", &tree, &mut list);
    }
    for setting in &mut list {
        setting.origin = origin(&setting.key, raw, flags);
        setting.value = masked(&setting.key, &setting.value);
    }
    list
}

fn flatten(prefix: &str, value: &Value, list: &mut Vec<Setting>) {
    let value = match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&key, value, list);
            }
            return;
        }
        Value::String(text) => text.clone(),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(","),
        other => other.to_string(),
    };
    list.push(Setting {
        key: prefix.to_owned(),
        value,
        origin: String::new(),
    });
}

fn origin(key: &str, raw: &config::Config, flags: &[(String, String)]) -> String {
    if flags.iter().any(|(flag, _)| flag == key) {
        return "flag".to_owned();
    }
    let mut value = Some(raw.cache.clone());
    for part in key.split('.') {
        value = value
            .and_then(|value| value.into_table().ok())
            .and_then(|mut table| table.remove(part));
    }
    match value {
        None => "default".to_owned(),
        Some(value) => match value.origin() {
            Some(file) if file != "the environment" => file.to_owned(),
            _ => "environment".to_owned(),
        },
    }
}

/// Secrets are not shown: keys that are secret by name, and passwords inside URLs.
fn masked(key: &str, value: &str) -> String {
    if ["secret", "secret_key", "password", ".key"]
        .iter()
        .any(|end| key.ends_with(end))
    {
        return if value.is_empty() {
            String::new()
        } else {
            MASK.to_owned()
        };
    }
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (&value[..scheme.len() + 3], rest),
        None if key.ends_with("url") => ("", value),
        None => return value.to_owned(),
    };
    // Up to the last `@`: a password that should have been written with %XX may hold anything, and such a URL cannot be taken apart.
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => {
            // A user's name is worth showing, if it is one.
            let user = credentials.split_once(':').map(|(user, _)| user);
            let user = user.filter(|user| !user.contains(['/', '?']));
            let shown = user.map(|user| format!("{user}:")).unwrap_or_default();
            (format!("{shown}{MASK}@"), rest)
        }
        None => (String::new(), rest),
    };
    if scheme == "sqlite://" || scheme == "file://" {
        return format!("{scheme}{credentials}{rest}");
    }
    // Parameters of a URL may carry a password too; none of them is worth the risk.
    match rest.split_once('?') {
        Some((rest, _)) => format!("{scheme}{credentials}{rest}?{MASK}"),
        None => format!("{scheme}{credentials}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_tells_where_its_value_came_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pullit.toml");
        std::fs::write(&path, "zone = \"UTC\"\n[notification]\nstreams = 5\n").unwrap();
        let layers = super::super::Layers {
            file: Some(path.clone()),
            environment: [("PULLIT_DATA_DIR".to_owned(), "/data".to_owned())].into(),
            flags: vec![("listen".to_owned(), "127.0.0.1:9".to_owned())],
        };
        let (config, raw) = super::super::load(&layers).unwrap();
        let settings = settings(&config, &raw, &layers.flags);
        let origin = |key: &str| {
            let setting = settings.iter().find(|setting| setting.key == key).unwrap();
            setting.origin.clone()
        };
        assert_eq!(origin("listen"), "flag");
        assert_eq!(origin("data_dir"), "environment");
        assert!(origin("zone").ends_with("pullit.toml"));
        assert!(origin("notification.streams").ends_with("pullit.toml"));
        assert_eq!(origin("question_set.max_retries"), "default");
    }

    #[test]
    fn secrets_and_passwords_in_urls_are_masked() {
        assert_eq!(masked("auth.jwt_secret", "abc"), MASK);
        assert_eq!(masked("generator.key", "abc"), MASK);
        assert_eq!(masked("generator.key", ""), "");
        assert_eq!(masked("storage.secret_key", "abc"), MASK);
        assert_eq!(masked("storage.secret_key", ""), "");
        assert_eq!(
            masked("database.url", "postgres://pullit:p@ss@db:5432/pullit?x=1"),
            format!("postgres://pullit:{MASK}@db:5432/pullit?{MASK}"),
        );
        for (written, shown) in [
            (
                "postgres://me:p@ss/w?rd@db/x",
                format!("postgres://me:{MASK}@db/x"),
            ),
            ("me:p@ss@db/x", format!("me:{MASK}@db/x")),
            (
                "postgres://db/x?password=p@ss",
                format!("postgres://{MASK}@ss"),
            ),
            (
                "postgres://db/x?password=pass",
                format!("postgres://db/x?{MASK}"),
            ),
        ] {
            assert_eq!(masked("database.listen_url", written), shown);
        }
        assert_eq!(
            masked("http.public_url", "https://pullit.example/"),
            "https://pullit.example/"
        );
    }
}
