//! Reads the layers of the configuration and checks what they make together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat};
use thiserror::Error;

use super::Config;

/// The configuration cannot be used; the program ends with exit code 2.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file that was named does not exist or cannot be read.
    #[error("configuration file {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A value or a key is not understood.
    #[error("configuration: {0}")]
    Value(String),
}

/// The layers above the defaults, in rising order of precedence.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// `--config FILE`; without it `pullit.toml` of the working folder, if there is one.
    pub file: Option<PathBuf>,
    /// The environment, as a map: only `main` reads the real one.
    pub environment: HashMap<String, String>,
    /// Flags, as dotted keys and values.
    pub flags: Vec<(String, String)>,
}

/// Keys that stand at the top level of the file; an environment variable that names none of them is not ours.
const TOP_LEVEL: &[&str] = &[
    "listen",
    "data_dir",
    "zone",
    "node_id",
    "database",
    "storage",
    "broker",
    "generator",
    "auth",
    "http",
    "quotas",
    "upload",
    "worker",
    "question_set",
    "source",
    "learn_stats",
    "outbox",
    "notification",
    // Its keys have moved to their rooms.
    "limits",
    "retention",
    "log",
    "jobs",
];

/// Reads the layers and checks what they make together.
///
/// # Errors
/// When the file cannot be read, a key is unknown, or a value cannot be used.
pub fn load(layers: &Layers) -> Result<(Config, config::Config), ConfigError> {
    let mut builder = config::Config::builder();
    if let Some(path) = file(layers)? {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let ours: HashMap<String, String> = layers
        .environment
        .iter()
        .filter(|(name, _)| is_ours(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    builder = builder.add_source(
        Environment::with_prefix("PULLIT")
            .prefix_separator("_")
            .separator("__")
            // Values stay text until their field says what they are: a secret of digits is no number.
            .source(Some(ours)),
    );
    for (key, value) in &layers.flags {
        builder = builder
            .set_override(key, value.as_str())
            .map_err(|error| ConfigError::Value(error.to_string()))?;
    }
    let mut raw = builder
        .build()
        .map_err(|error| ConfigError::Value(without_source(&error.to_string())))?;
    let outdated = super::moved::adopt(&mut raw)?;
    let mut config: Config = raw
        .clone()
        .try_deserialize()
        .map_err(|error| ConfigError::Value(error.to_string()))?;
    config.outdated = outdated;
    config.storage.chain = super::s3::chain(&layers.environment);
    super::validate::validate(&config)?;
    Ok((config, raw))
}

/// A parser shows the line that it stumbled over, and there may be a password in it. Where and why is enough.
fn without_source(error: &str) -> String {
    let is_source = |line: &&str| {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        !line.starts_with('|')
    };
    error
        .lines()
        .filter(is_source)
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_ours(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("PULLIT_") else {
        return false;
    };
    let rest = rest.to_ascii_lowercase();
    let first = rest.split("__").next().unwrap_or_default();
    TOP_LEVEL.contains(&first)
}

fn file(layers: &Layers) -> Result<Option<PathBuf>, ConfigError> {
    let (path, named) = match &layers.file {
        Some(path) => (path.as_path(), true),
        None => (Path::new("pullit.toml"), false),
    };
    match std::fs::metadata(path) {
        Ok(_) => Ok(Some(path.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => Ok(None),
        Err(error) => Err(ConfigError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_env(pairs: &[(&str, &str)]) -> Layers {
        Layers {
            environment: pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..Layers::default()
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_the_place_and_without_its_passwords() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pullit.toml");
        std::fs::write(
            &path,
            "[database]\nurl = \"postgres://me:s3cret@db/pullit\n",
        )
        .unwrap();
        let layers = Layers {
            file: Some(path),
            ..Layers::default()
        };
        let error = load(&layers).unwrap_err().to_string();
        assert!(
            error.contains("pullit.toml") && error.contains("line 2"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn the_environment_reaches_nested_keys_lists_and_jobs_whatever_their_case() {
        let layers = with_env(&[
            ("PULLIT_DATABASE__URL", "postgres://db/pullit"),
            (
                "PULLIT_HTTP__CORS_ORIGINS",
                "https://a.example,https://b.example",
            ),
            ("PULLIT_AUTH__DEV_LOGIN", "false"),
            (
                "PULLIT_AUTH__JWT_SECRET",
                "12345678901234567890123456789012",
            ),
            ("PULLIT_NOTIFICATION__STREAMS", "7"),
            ("PULLIT_JOBS__RELAYOUTBOXEVENTS__EVERY", "250ms"),
            ("PULLIT_TEST_POSTGRES_URL", "not ours"),
        ]);
        let (config, _) = load(&layers).unwrap();
        assert_eq!(config.database_url(), "postgres://db/pullit");
        assert_eq!(
            config.http.cors_origins,
            ["https://a.example", "https://b.example"]
        );
        assert!(!config.auth.dev_login);
        assert_eq!(config.auth.jwt_secret, "12345678901234567890123456789012");
        assert_eq!(config.notification.streams, 7);
        let relay = config.job("relayOutboxEvents");
        assert_eq!(relay.every.unwrap().to_string(), "250ms");
    }

    #[test]
    fn flags_win_over_the_environment_and_the_environment_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pullit.toml");
        std::fs::write(
            &path,
            "listen = \"127.0.0.1:1\"\nzone = \"UTC\"\nnode_id = \"file\"\n",
        )
        .unwrap();
        let mut layers = with_env(&[
            ("PULLIT_LISTEN", "127.0.0.1:2"),
            ("PULLIT_ZONE", "America/New_York"),
        ]);
        layers.file = Some(path);
        layers.flags = vec![("listen".to_owned(), "127.0.0.1:3".to_owned())];
        let (config, _) = load(&layers).unwrap();
        assert_eq!(config.listen, "127.0.0.1:3");
        assert_eq!(config.zone, chrono_tz::America::New_York);
        assert_eq!(config.node_id, "file");
    }

    #[test]
    fn an_unknown_key_and_an_unreadable_value_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pullit.toml");
        for (text, hint) in [
            ("lisen = \"x\"\n", "lisen"),
            ("[auth]\naccess_ttl = \"soon\"\n", "soon"),
            ("[jobs.runSourceCleanup]\ncorn = \"0 0 4 * * *\"\n", "corn"),
        ] {
            std::fs::write(&path, text).unwrap();
            let layers = Layers {
                file: Some(path.clone()),
                ..Layers::default()
            };
            let error = load(&layers).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn a_file_that_was_named_must_exist() {
        let layers = Layers {
            file: Some(PathBuf::from("/nowhere/pullit.toml")),
            ..Layers::default()
        };
        assert!(matches!(load(&layers), Err(ConfigError::File { .. })));
    }
}
