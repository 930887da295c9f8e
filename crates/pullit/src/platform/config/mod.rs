//! The effective configuration: defaults, then `pullit.toml`, then the environment, then flags.

mod defaults;
mod duration;
mod generator;
mod jobs;
mod list;
mod load;
mod moved;
mod s3;
mod show;
mod validate;

pub use duration::Span;
pub use generator::{GeneratorConfig, GeneratorKind};
pub use jobs::{JobConfig, MisfireConfig};
pub use load::{ConfigError, Layers, load};
pub use s3::{AccessKeys, S3Settings};
pub use show::{Setting, settings};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::db::DbOptions;

/// The broker of the embedded defaults.
pub const DATABASE_BROKER: &str = "database:";

/// Everything that can be set. The embedded defaults need no file at all.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port of the HTTP server. Port 0 takes a free one.
    pub listen: String,
    /// The folder of everything that this node keeps in files.
    pub data_dir: PathBuf,
    /// The zone of days, weeks and cron triggers.
    pub zone: chrono_tz::Tz,
    /// The name of this node in locks and runs; made at start when empty: host, process, random tail.
    pub node_id: String,
    /// Where the rows are.
    pub database: DatabaseConfig,
    /// Where the uploaded files are.
    pub storage: StorageConfig,
    /// How work reaches the workers.
    pub broker: BrokerConfig,
    /// Who writes the questions.
    pub generator: GeneratorConfig,
    /// Sign-in.
    pub auth: AuthConfig,
    /// The HTTP edge.
    pub http: HttpConfig,
    /// How much one client may ask for.
    pub quotas: QuotasConfig,
    /// Bounds of uploads and of reading them.
    pub upload: UploadConfig,
    /// Bounds of the workers.
    pub worker: WorkerConfig,
    /// Bounds of the jobs at question sets.
    pub question_set: QuestionSetConfig,
    /// Bounds of the cleanup of sources.
    pub source: SourceConfig,
    /// Batch sizes of the jobs at learn stats.
    pub learn_stats: LearnStatsConfig,
    /// Bounds of the relay.
    pub outbox: OutboxConfig,
    /// Bounds of event streams, and how notifications are looked for.
    pub notification: NotificationConfig,
    /// How long history is kept.
    pub retention: RetentionConfig,
    /// Log lines.
    pub log: LogConfig,
    /// Settings of single jobs, by job name.
    pub jobs: BTreeMap<String, JobConfig>,
    /// One sentence for each key that was given by its former name.
    #[serde(skip)]
    pub outdated: Vec<String>,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite://PATH` or `postgres://…`; empty: `pullit.db` in the data folder.
    pub url: String,
    /// Most connections in the pool of this process. To be woken, a node keeps one more for each of the roles relay and api
    /// (PostgreSQL).
    pub max_connections: u32,
    /// What stands before PostgreSQL: `none`, or `transaction`: a pooler in transaction mode, such as PgBouncer.
    pub pooler: PoolerKind,
    /// PostgreSQL past the pooler, where a node listens for wake-ups; without it, and with a pooler, work is looked for at each tick.
    pub listen_url: String,
}

/// What stands between a node and PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolerKind {
    /// Nothing, or a pooler whose sessions are the node's own.
    #[default]
    None,
    /// A pooler that gives a server for one transaction.
    Transaction,
}

/// `[storage]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// `file://PATH` or `s3://BUCKET/PREFIX`; empty: `objects` in the data folder.
    pub url: String,
    /// The S3 server; empty: AWS.
    pub endpoint: String,
    /// The bucket's region; empty: `AWS_REGION`.
    pub region: String,
    /// Whether the bucket stands in the path of a URL and not in its host; unless set, where there is an endpoint.
    pub path_style: Option<bool>,
    /// The access key; empty: the usual chain of AWS credentials.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Whether many objects are deleted by one request; not every server can.
    pub bulk_delete: bool,
    /// What the environment says to the chain of AWS credentials.
    #[serde(skip)]
    pub chain: BTreeMap<String, String>,
}

/// `[broker]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// `database:`: the workers take work from the database. `amqp://USER:PASSWORD@HOST:PORT/VHOST`: from RabbitMQ.
    pub url: String,
    /// With RabbitMQ: the exchange's name, and the beginning of the queues' names.
    pub prefix: String,
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Whether anybody may sign in with an e-mail address alone (for development, on a loopback address only).
    pub dev_login: bool,
    /// The secret that signs access tokens and upload URLs, 32 bytes or more; empty: made on first start and kept in the data folder.
    pub jwt_secret: String,
    /// How long an access token lives.
    pub access_ttl: Span,
    /// How long a refresh token lives.
    pub refresh_ttl: Span,
    /// How long a refresh token that was just rotated is still taken, so that two tabs that refresh at once both succeed.
    pub refresh_grace: Span,
    /// How long a session lives, however often it is refreshed.
    pub session_ttl: Span,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// The address under which browsers reach this server; empty: `http://<listen>`.
    pub public_url: String,
    /// Origins of front ends that may call with credentials; in the environment separated by commas.
    #[serde(deserialize_with = "list::deserialize")]
    pub cors_origins: Vec<String>,
    /// How long one request may take (streams aside).
    pub request_timeout: Span,
    /// Address and port of `/healthz`, `/readyz` and `/metrics` alone, on nodes of every role; empty: none.
    pub probes: String,
    /// Addresses and networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed; in the environment separated by commas.
    #[serde(deserialize_with = "list::deserialize")]
    pub trusted_proxies: Vec<String>,
}

/// `[quotas]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotasConfig {
    /// Requests to sign in that one address (IPv6: network of 64 bits) may send a minute; 0: no limit.
    pub sign_ins_per_minute: u32,
    /// Requests to refresh that one address may send a minute; 0: no limit.
    pub refreshes_per_minute: u32,
    /// Question sets that one member may ask for on one day; 0: no limit.
    pub question_sets_per_day: u32,
    /// Question sets of one member that may be in the making at the same time; 0: no limit.
    pub question_sets_pending: u32,
}

/// `[upload]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadConfig {
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// How long an upload URL is valid.
    pub url_ttl: Span,
    /// Most pages of a PDF.
    pub max_pages: u32,
    /// Longest text taken out of a document, in characters.
    pub max_chars: usize,
    /// Most memory that reading one document may take, in bytes.
    pub memory_bytes: u64,
    /// Longest time that reading one document may take.
    pub extraction_timeout: Span,
    /// Documents read at the same time by this node.
    pub extraction_concurrency: usize,
}

/// `[worker]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Question sets generated at the same time by this node.
    pub concurrency: usize,
    /// Longest time of one generation.
    pub timeout: Span,
    /// How long taken work is believed alive without a sign of life; extended while it is worked on.
    pub lease: Span,
}

/// `[question_set]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuestionSetConfig {
    /// A question set that has been PENDING for this long has failed.
    pub pending_timeout: Span,
    /// Most automatic retries of a failed question set.
    pub max_retries: i32,
    /// Question sets retried by one run.
    pub retries_per_run: u32,
    /// Question sets failed in one transaction.
    pub cleanup_batch: u32,
}

/// `[source]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// Sources deleted in one step.
    pub cleanup_batch: u32,
}

/// `[learn_stats]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnStatsConfig {
    /// Members handled in one transaction of the weekly job.
    pub member_batch: u32,
    /// Members whose streaks are checked in one transaction: more, because it writes only who loses one.
    pub streak_batch: u32,
}

/// `[outbox]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboxConfig {
    /// Events relayed in one transaction.
    pub batch: u32,
    /// Deliveries of one event before it is dead.
    pub attempts: u32,
}

/// `[notification]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationConfig {
    /// Event streams of one member; the oldest gives way.
    pub streams_per_member: usize,
    /// Event streams of this node.
    pub streams: usize,
    /// How often a node looks for new notifications unasked (PostgreSQL). It is woken when there are any, so this is for what a script stored,
    /// and for poolers that let no wake-up through.
    pub poll: Span,
}

/// `[retention]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Finished job runs.
    pub runs: Span,
    /// Marks of handled events; seven days or more, and longer than an event is retried.
    pub inbox: Span,
    /// Who replayed or discarded which dead event.
    pub audit: Span,
    /// Notifications; a client that was away for longer is told to load its state anew.
    pub notifications: Span,
    /// Notifications of one member, the newest, however young the others are.
    pub notifications_per_member: u32,
    /// Refresh tokens after their end.
    pub tokens: Span,
    /// Remembered answers of idempotent requests.
    pub idempotency: Span,
    /// Uploads that nobody completed.
    pub uploads: Span,
    /// Rows pruned in one transaction.
    pub batch: u32,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is logged, as `tracing` directives: `info`, `pullit=debug,info` …
    pub filter: String,
    /// `text` or `json`, one line an event.
    pub format: String,
}

impl Config {
    /// The database, with the embedded default filled in.
    pub fn database_url(&self) -> String {
        if self.database.url.is_empty() {
            format!("sqlite://{}", self.data_dir.join("pullit.db").display())
        } else {
            self.database.url.clone()
        }
    }

    /// How to reach the database.
    pub fn database_options(&self) -> DbOptions {
        DbOptions {
            url: self.database_url(),
            max_connections: self.database.max_connections,
            transaction_pooler: self.database.pooler == PoolerKind::Transaction,
            listen_url: self.database.listen_url.clone(),
        }
    }

    /// The object storage, with the embedded default filled in.
    pub fn storage_url(&self) -> String {
        if self.storage.url.is_empty() {
            format!("file://{}", self.data_dir.join("objects").display())
        } else {
            self.storage.url.clone()
        }
    }

    /// The settings of one job. Names match whatever their case, because the environment has none.
    pub fn job(&self, name: &str) -> JobConfig {
        self.jobs
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, job)| job.clone())
            .unwrap_or_default()
    }
}
