//! What no single value of the configuration shows: bounds, and what does not go together.

use std::time::Duration;

use ground::postgres::Target;
use tracing_subscriber::EnvFilter;

use super::{BrokerConfig, Config, ConfigError, DATABASE_BROKER, GeneratorKind, PoolerKind, Span};
use crate::platform::broker;
use crate::platform::http::Network;
use crate::schedulers;

/// Leaves room for the tail of each acquisition in the lock table's `locked_by`.
const LONGEST_NODE_ID: usize = 128;

/// The dead letters of a broker are delivered again by hand, days later.
const SHORTEST_INBOX: Duration = Duration::from_secs(7 * 24 * 3600);

/// S3 signs no URL for longer.
const LONGEST_URL: Span = Span::days(7);

type Checked = Result<(), ConfigError>;

fn refuse(text: impl Into<String>) -> Checked {
    Err(ConfigError::Value(text.into()))
}

/// What no single value shows: values that are not offered, out of bounds, or do not go together.
pub(super) fn validate(config: &Config) -> Checked {
    check_jobs(config)?;
    if let Some(problem) = database_problem(config).or_else(|| broker_problem(config)) {
        return refuse(problem);
    }
    check_storage(config)?;
    check_generator(config)?;
    check_node(config)?;
    check_edge(config)?;
    check_spans(config)?;
    check_numbers(config)
}

fn check_jobs(config: &Config) -> Checked {
    for name in config.jobs.keys() {
        if !schedulers::names().any(|known| known.eq_ignore_ascii_case(name)) {
            let known: Vec<_> = schedulers::names().collect();
            return refuse(format!(
                "there is no job `{name}`; the jobs are {}",
                known.join(", ")
            ));
        }
    }
    Ok(())
}

fn check_storage(config: &Config) -> Checked {
    if config.is_s3() {
        config.s3().map_err(ConfigError::Value)?;
    } else if !config.storage_url().starts_with("file://") {
        return refuse(format!(
            "storage.url `{}` is not offered; use `file://PATH` or `s3://BUCKET/PREFIX`",
            scheme(&config.storage_url())
        ));
    }
    if config.upload.url_ttl > LONGEST_URL {
        return refuse(format!("upload.url_ttl must be at most {LONGEST_URL}"));
    }
    if config.upload.url_ttl > config.retention.uploads {
        return refuse(
            "retention.uploads must not be shorter than upload.url_ttl: what is put to a URL that outlives its upload stays for ever"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_generator(config: &Config) -> Checked {
    config.generator.check().map_err(ConfigError::Value)?;
    if config.generator.kind != GeneratorKind::Offline
        && config.generator.timeout >= config.worker.timeout
    {
        return refuse(
            "generator.timeout must be shorter than worker.timeout: a request that hangs would take its whole attempt along"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_node(config: &Config) -> Checked {
    if config.node_id.chars().count() > LONGEST_NODE_ID || config.node_id.contains(char::is_control)
    {
        return refuse(format!(
            "node_id must have at most {LONGEST_NODE_ID} printable characters"
        ));
    }
    if let Err(error) = EnvFilter::try_new(&config.log.filter) {
        return refuse(format!("log.filter: {error}"));
    }
    if !matches!(config.log.format.as_str(), "text" | "json") {
        return refuse(format!(
            "log.format `{}` is neither `text` nor `json`",
            config.log.format
        ));
    }
    Ok(())
}

fn check_edge(config: &Config) -> Checked {
    if !config.auth.jwt_secret.is_empty() && config.auth.jwt_secret.len() < 32 {
        return refuse("auth.jwt_secret must have 32 bytes or more".to_owned());
    }
    for proxy in &config.http.trusted_proxies {
        if let Err(problem) = proxy.parse::<Network>() {
            return refuse(format!("http.trusted_proxies: {problem}"));
        }
    }
    for origin in &config.http.cors_origins {
        if !is_origin(origin) {
            return refuse(format!(
                "http.cors_origins: `{origin}` is no origin; write each as `https://pullit.example`, without a path. \
                 `*` is not offered, because requests carry credentials"
            ));
        }
    }
    Ok(())
}

fn check_spans(config: &Config) -> Checked {
    if config.retention.inbox.duration() < SHORTEST_INBOX {
        return refuse(
            "retention.inbox must be `7d` or more: a message that is delivered again by hand must still be known"
                .to_owned(),
        );
    }
    let spans = [
        ("auth.access_ttl", config.auth.access_ttl),
        ("auth.refresh_ttl", config.auth.refresh_ttl),
        ("auth.session_ttl", config.auth.session_ttl),
        ("http.request_timeout", config.http.request_timeout),
        ("upload.url_ttl", config.upload.url_ttl),
        (
            "upload.extraction_timeout",
            config.upload.extraction_timeout,
        ),
        ("worker.timeout", config.worker.timeout),
        ("worker.lease", config.worker.lease),
        ("generator.timeout", config.generator.timeout),
        (
            "question_set.pending_timeout",
            config.question_set.pending_timeout,
        ),
        ("notification.poll", config.notification.poll),
    ];
    match spans.iter().find(|(_, span)| span.duration().is_zero()) {
        Some((name, _)) => refuse(format!("{name} must be longer than 0")),
        None => Ok(()),
    }
}

fn check_numbers(config: &Config) -> Checked {
    let numbers = [
        ("worker.concurrency", config.worker.concurrency),
        ("generator.max_chars", config.generator.max_chars),
        (
            "generator.max_output_tokens",
            config.generator.max_output_tokens as usize,
        ),
        (
            "upload.extraction_concurrency",
            config.upload.extraction_concurrency,
        ),
        (
            "notification.streams_per_member",
            config.notification.streams_per_member,
        ),
        (
            "question_set.retries_per_run",
            config.question_set.retries_per_run as usize,
        ),
        (
            "question_set.cleanup_batch",
            config.question_set.cleanup_batch as usize,
        ),
        ("source.cleanup_batch", config.source.cleanup_batch as usize),
        (
            "learn_stats.member_batch",
            config.learn_stats.member_batch as usize,
        ),
        (
            "learn_stats.streak_batch",
            config.learn_stats.streak_batch as usize,
        ),
        ("outbox.batch", config.outbox.batch as usize),
        ("outbox.attempts", config.outbox.attempts as usize),
        ("retention.batch", config.retention.batch as usize),
        (
            "retention.notifications_per_member",
            config.retention.notifications_per_member as usize,
        ),
        (
            "database.max_connections",
            config.database.max_connections as usize,
        ),
    ];
    match numbers.iter().find(|(_, number)| *number == 0) {
        Some((name, _)) => refuse(format!("{name} must be at least 1")),
        None => Ok(()),
    }
}

fn database_problem(config: &Config) -> Option<String> {
    let database = &config.database;
    let is_postgres = scheme(&database.url).starts_with("postgres");
    if !is_postgres && (database.pooler != PoolerKind::None || !database.listen_url.is_empty()) {
        return Some("database.pooler and database.listen_url belong to PostgreSQL, and database.url leads elsewhere".to_owned());
    }
    for (key, url) in [
        ("database.url", &database.url),
        ("database.listen_url", &database.listen_url),
    ] {
        if is_postgres
            && !url.is_empty()
            && let Err(problem) = Target::parse(url)
        {
            return Some(format!("{key}: {problem}"));
        }
    }
    None
}

fn broker_problem(config: &Config) -> Option<String> {
    let BrokerConfig { url, prefix } = &config.broker;
    if url == DATABASE_BROKER {
        return None;
    }
    if !matches!(scheme(url), "amqp" | "amqps") {
        return Some(format!(
            "broker.url `{}` is not offered; use `database:` or `amqp://USER:PASSWORD@HOST:PORT/VHOST`",
            scheme(url)
        ));
    }
    if let Err(error) = broker::address(url) {
        return Some(error.to_string());
    }
    if let Some(problem) = broker::bad_prefix(prefix) {
        return Some(format!("broker.prefix {problem}"));
    }
    (config.worker.timeout.duration() > broker::LONGEST_WORK).then(|| {
        format!(
            "worker.timeout must be at most {} minutes with an AMQP broker: RabbitMQ takes work away from a consumer that holds it for \
             30 minutes (its consumer_timeout)",
            broker::LONGEST_WORK.as_secs() / 60
        )
    })
}

/// The part of a URL that holds no secret.
fn scheme(url: &str) -> &str {
    url.split_once(':').map_or("", |(scheme, _)| scheme)
}

/// Whether a browser could name its page's origin so: scheme, host, perhaps a port.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.trim_end_matches('/').split_once("://") else {
        return false;
    };
    matches!(scheme, "http" | "https")
        && !host.is_empty()
        && !host.contains(['/', '?', '#', '@', '*', ','])
        && host.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        validate(&config).unwrap_err().to_string()
    }

    #[test]
    fn the_embedded_defaults_can_be_used() {
        validate(&Config::default()).unwrap();
    }

    #[test]
    fn values_that_would_stop_the_program_later_are_refused_by_name() {
        for origin in [
            "*",
            "pullit.example",
            "https://pullit.example/app",
            "https://*.example",
        ] {
            let said = refused(|config| config.http.cors_origins = vec![origin.to_owned()]);
            assert!(said.contains(origin), "{said}");
        }
        let said = refused(|config| config.http.trusted_proxies = vec!["10.0.0.0/99".to_owned()]);
        assert!(said.contains("10.0.0.0/99"), "{said}");
        let said = refused(|config| config.worker.lease = Span::seconds(0));
        assert!(said.contains("worker.lease"), "{said}");
        let said = refused(|config| config.retention.inbox = Span::hours(7 * 24 - 1));
        assert!(said.contains("retention.inbox"), "{said}");
        let said = refused(|config| {
            config.generator.kind = GeneratorKind::OpenAi;
            config.generator.key = "k".to_owned();
            config.generator.model = "m".to_owned();
            config.worker.timeout = config.generator.timeout;
        });
        assert!(said.contains("generator.timeout"), "{said}");
        let said = refused(|config| config.log.filter = "pullit=loud".to_owned());
        assert!(said.contains("log.filter"), "{said}");
        let said = refused(|config| config.node_id = "n".repeat(201));
        assert!(said.contains("node_id"), "{said}");
    }

    #[test]
    fn a_broker_is_the_database_or_an_amqp_address() {
        let mut config = Config::default();
        config.broker.url = "amqp://pullit:p%40ss@mq:5672/%2f".to_owned();
        validate(&config).unwrap();
        for (url, word) in [
            ("kafka://user:hunter2@mq", "`kafka`"),
            ("amqp:/user:hunter2@mq", "amqp://USER"),
            ("amqp://user:hunter2@mq:port/", "amqp://USER"),
        ] {
            let said = refused(|config| config.broker.url = url.to_owned());
            assert!(said.contains(word), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        for prefix in ["", "two words", "amq.pullit"] {
            let said = refused(|config| {
                config.broker.url = "amqp://mq".to_owned();
                config.broker.prefix = prefix.to_owned();
            });
            assert!(said.contains("broker.prefix"), "{said}");
        }
    }

    #[test]
    fn work_that_rabbitmq_would_take_away_is_refused() {
        let said = refused(|config| {
            config.broker.url = "amqp://mq".to_owned();
            config.worker.timeout = Span::minutes(30);
        });
        assert!(said.contains("worker.timeout"), "{said}");
        let mut config = Config::default();
        config.worker.timeout = Span::minutes(30);
        validate(&config).unwrap();
    }
}
