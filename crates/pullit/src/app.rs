//! The composition root: builds everything from the configuration, and is the only place that knows all.

mod resources;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use document_text::{Extractor, Limits};
use outbox::{Destination, Relay, Signal};
use question_maker::QuestionGenerator;
pub(crate) use resources::public_url;
use resources::{broker, generator, locks, secrets, storage};
use scheduler::{Clock, Scheduler};
use shedlock::LockProvider;
use sse_hub::{Hub, HubOptions};
use thiserror::Error;

use crate::admin::{Admin, AdminParts};
use crate::auth::{AccessTokens, Auth, AuthOptions, SecretError, Secrets};
use crate::housekeeping::{Housekeeping, Retention};
use crate::job_settings::BadSetting;
use crate::learn_stats::{
    LearnStats, QUESTION_SET_SOLVED, SolvedProjection, StatsOptions, WEEKLY_RESET, WeeklyProjection,
};
use crate::marking::Marking;
use crate::member::Members;
use crate::notification::{Feed, FeedOptions, NotificationProjection};
use crate::platform::broker::Broker;
use crate::platform::clock::Now;
use crate::platform::config::Config;
use crate::platform::db::{ConnectError, Db};
use crate::platform::migrations::migrate;
use crate::platform::payload::up_to_version;
use crate::platform::storage::{FolderStorage, Storage, StorageError};
use crate::question_set::events::{
    QUESTION_GENERATION_REQUESTED, QUESTION_SET_COMPLETED, QUESTION_SET_FAILED,
};
use crate::question_set::generator::model::ClientError;
use crate::question_set::{QuestionGenerationWorker, QuestionSets, SetLimits, WorkerOptions};
use crate::schedulers::{self, Rooms};
use crate::source::{ExtractionLoop, ExtractionOptions, SourceLimits, Sources};

/// The pause after the first failed delivery of an event, and the longest.
const OUTBOX_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// Where the nodes of a cluster tell each other of new events (PostgreSQL's NOTIFY).
const OUTBOX_CHANNEL: &str = "pullit_outbox";

/// And of stored notifications.
const NOTIFICATION_CHANNEL: &str = "pullit_notification";

/// Connections of the feed of notifications: one that looks, one that wakes other nodes.
const FEED_CONNECTIONS: u32 = 2;

/// Longest time that the relay waits for a destination: the broker's own verdict comes first.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(12);

/// Why the service cannot be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The database cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The tables cannot be brought up to date, or the database does not answer.
    #[error("the tables could not be brought up to date: {0}")]
    Database(#[from] sqlx::Error),
    /// The signing secret cannot be kept.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The object storage cannot be used.
    #[error("the object storage cannot be used: {0}")]
    Storage(#[from] StorageError),
    /// A job's setting cannot be used.
    #[error(transparent)]
    Job(#[from] BadSetting),
    /// The jobs do not fit together.
    #[error(transparent)]
    Scheduler(#[from] scheduler::BuildError),
    /// The outbox's destinations do not fit together.
    #[error("{0}")]
    Relay(#[from] outbox::RouteError),
    /// The model's service cannot be reached from here.
    #[error(transparent)]
    Generator(#[from] ClientError),
    /// Settings that contradict each other.
    #[error("configuration: {0}")]
    Configuration(String),
}

impl BuildError {
    /// Whether the configuration is at fault, and not the world.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Job(_) | Self::Configuration(_) | Self::Scheduler(_)
        ) || matches!(self, Self::Connect(error) if error.is_configuration())
    }
}

/// What comes from outside the configuration: time, and who writes the questions in a demonstration.
pub struct Outside {
    /// The clock of everything but the locks.
    pub clock: Arc<dyn Clock>,
    /// Instead of the configured generator.
    pub generator: Option<Arc<dyn QuestionGenerator>>,
    /// A `pullit` binary, run as a child to read documents.
    pub program: PathBuf,
}

/// Everything, built and not started.
#[derive(Clone)]
pub struct App {
    /// The effective configuration, node id filled in.
    pub config: Arc<Config>,
    /// The clock of everything but the locks.
    pub now: Now,
    /// The database.
    pub db: Db,
    /// The feed's own connections to it.
    pub looks: Db,
    /// The object storage.
    pub storage: Arc<dyn Storage>,
    /// The object storage again, where it is a folder: its upload URLs lead to this service.
    pub folder: Option<Arc<FolderStorage>>,
    /// How work reaches the workers.
    pub broker: Arc<dyn Broker>,
    /// Who holds which lock.
    pub locks: Arc<dyn LockProvider>,
    /// Wakes the relay.
    pub signal: Signal,
    /// The members.
    pub members: Members,
    /// The sign-in room.
    pub auth: Auth,
    /// The rooms that the jobs work with.
    pub rooms: Rooms,
    /// The marking room.
    pub marking: Marking,
    /// Open event streams.
    pub hub: Hub<i64>,
    /// The jobs and what an operator can do with them.
    pub scheduler: Scheduler,
    /// Makes questions.
    pub worker: QuestionGenerationWorker,
    /// Reads documents.
    pub extraction: ExtractionLoop,
    /// The operator's console.
    pub admin: Admin,
}

impl App {
    /// Connects, brings the tables up to date, and puts everything together. Starts nothing.
    ///
    /// # Errors
    /// When something that is needed cannot be used.
    pub async fn build(mut config: Config, outside: Outside) -> Result<Self, BuildError> {
        if config.node_id.is_empty() {
            config.node_id = node_id();
        }
        let config = Arc::new(config);
        let now: Now = {
            let clock = Arc::clone(&outside.clock);
            Arc::new(move || clock.now())
        };
        let db = Db::open(config.database_options()).await?;
        for script in migrate(&db).await? {
            tracing::info!(script, "the tables are brought up to date");
        }
        let secrets = secrets(&config)?;
        let signal = db.signal(OUTBOX_CHANNEL);
        let (storage, folder) = storage(&config, &secrets, &now)?;
        let broker = broker(&config, &db, &now)?;
        let members = Members::new(db.clone(), Arc::clone(&now));
        let auth = auth(&config, &db, &now, &members, &secrets);
        let hub = Hub::new(HubOptions {
            per_key: config.limits.streams_per_member,
            total: config.limits.streams,
            ..HubOptions::default()
        });
        let sources = Arc::new(Sources::new(
            db.clone(),
            Arc::clone(&storage),
            config.zone,
            SourceLimits::from(&*config),
            Arc::clone(&now),
        ));
        let options = StatsOptions {
            zone: config.zone,
            member_batch: config.limits.member_batch,
            streak_batch: config.limits.streak_batch,
        };
        let learn_stats = Arc::new(LearnStats::new(
            db.clone(),
            Arc::clone(&now),
            signal.clone(),
            options,
        ));
        let limits = SetLimits {
            pending_timeout: config.limits.pending_timeout.delta(),
            max_retries: config.limits.max_retries,
            retries_per_run: config.limits.retries_per_run,
            cleanup_batch: config.limits.cleanup_batch,
        };
        let question_sets = QuestionSets::new(
            db.clone(),
            Arc::clone(&now),
            signal.clone(),
            Arc::clone(&sources),
            limits,
        );
        let marking = Marking::new(
            db.clone(),
            Arc::clone(&now),
            signal.clone(),
            question_sets.clone(),
            Arc::clone(&learn_stats),
        );
        let looks = db.aside(FEED_CONNECTIONS);
        let stored = looks.signal(NOTIFICATION_CHANNEL);
        let options = FeedOptions {
            poll: config.limits.notification_poll.duration(),
            heartbeat: schedulers::heartbeat_interval(&config),
        };
        let dbs = [db.clone(), looks.clone()];
        let feed = Feed::new(dbs, Arc::clone(&now), hub.clone(), stored, options);
        let feed = Arc::new(feed);
        let relay = Arc::new(relay(&config, &db, &now, &broker, &learn_stats, &feed)?);
        let keep = config.retention.inbox.duration();
        if keep <= relay.longest_retry() {
            return Err(BuildError::Configuration(format!(
                "retention.inbox must be longer than an event is retried ({} s)",
                relay.longest_retry().as_secs()
            )));
        }
        let housekeeping = Arc::new(Housekeeping::new(
            db.clone(),
            Arc::clone(&now),
            Retention::from(&*config),
            auth.clone(),
            Arc::clone(&feed),
            Arc::clone(&sources),
        ));
        let rooms = Rooms {
            question_sets: question_sets.clone(),
            sources: Arc::clone(&sources),
            learn_stats,
            relay,
            signal: signal.clone(),
            feed: Arc::clone(&feed),
            housekeeping: Arc::clone(&housekeeping),
        };
        let locks = locks(&db, &config.node_id)?;
        let scheduler = Scheduler::builder()
            .database(db.write())
            .cluster_locks(Arc::clone(&locks))
            .clock(Arc::clone(&outside.clock))
            .node_id(config.node_id.as_str())
            .jobs(schedulers::jobs(&config, &rooms)?)
            .build()?;
        housekeeping.keep_runs_of(scheduler.clone());
        let worker = QuestionGenerationWorker::new(
            question_sets,
            Arc::clone(&broker),
            match outside.generator {
                Some(generator) => generator,
                None => generator(&config.generator)?,
            },
            WorkerOptions {
                concurrency: config.worker.concurrency,
                timeout: config.worker.timeout.duration(),
                lease: config.worker.lease.duration(),
            },
        );
        let extractor = Extractor::new(outside.program, extraction_limits(&config));
        let extraction = ExtractionLoop::new(
            sources,
            Arc::new(extractor),
            ExtractionOptions::from(&*config),
        );
        let admin = Admin::new(AdminParts {
            scheduler: scheduler.clone(),
            locks: Arc::clone(&locks),
            db: db.clone(),
            now: Arc::clone(&now),
            signal: signal.clone(),
            members: members.clone(),
            auth: auth.clone(),
            hub: hub.clone(),
            feed,
        });
        Ok(Self {
            config,
            now,
            db,
            looks,
            storage,
            folder,
            broker,
            locks,
            signal,
            members,
            auth,
            rooms,
            marking,
            hub,
            scheduler,
            worker,
            extraction,
            admin,
        })
    }
}

impl App {
    /// Leaves the database, once other nodes have been told of what was last committed.
    pub async fn close(self) {
        tokio::join!(self.signal.flush(), self.rooms.feed.flush());
        self.looks.close().await;
        self.db.close().await;
    }
}

/// Two nodes with one name would hold each other's locks: host and process are not enough, a restart may get both again.
fn node_id() -> String {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let tail: u32 = rand::random();
    format!("{host}:{}:{tail:08x}", std::process::id())
}

fn auth(config: &Config, db: &Db, now: &Now, members: &Members, secrets: &Secrets) -> Auth {
    let options = AuthOptions {
        dev_login: config.auth.dev_login,
        refresh_ttl: config.auth.refresh_ttl.delta(),
        refresh_grace: config.auth.refresh_grace.delta(),
        secure_cookie: public_url(config).starts_with("https://"),
    };
    let tokens = AccessTokens::new(secrets, config.auth.access_ttl.delta());
    Auth::new(
        db.clone(),
        Arc::clone(now),
        members.clone(),
        tokens,
        options,
    )
}

fn relay(
    config: &Config,
    db: &Db,
    now: &Now,
    broker: &Arc<dyn Broker>,
    stats: &Arc<LearnStats>,
    feed: &Arc<Feed>,
) -> Result<Relay, outbox::RouteError> {
    let notifications = NotificationProjection::new(Arc::clone(feed), Arc::clone(now));
    let notifications = up_to_version(1, Destination::Projection(Arc::new(notifications)));
    let solved = Destination::Projection(Arc::new(SolvedProjection(LearnStats::clone(stats))));
    let reset = Destination::Projection(Arc::new(WeeklyProjection(LearnStats::clone(stats))));
    let generation = Arc::clone(broker).destination();
    Relay::builder(db.write())
        .now(Arc::clone(now))
        .batch_size(u64::from(config.limits.outbox_batch))
        .max_attempts(i32::try_from(config.limits.outbox_attempts).unwrap_or(i32::MAX))
        .backoff(OUTBOX_BACKOFF.0, OUTBOX_BACKOFF.1)
        .delivery_timeout(DELIVERY_TIMEOUT)
        .route(QUESTION_GENERATION_REQUESTED, up_to_version(1, generation))
        .route(QUESTION_SET_COMPLETED, notifications.clone())
        .route(QUESTION_SET_FAILED, notifications)
        .route(QUESTION_SET_SOLVED, up_to_version(1, solved))
        .route(WEEKLY_RESET, up_to_version(1, reset))
        .build()
}

fn extraction_limits(config: &Config) -> Limits {
    let wall = config.upload.extraction_timeout.duration();
    Limits {
        max_pages: config.upload.max_pages,
        max_chars: config.upload.max_chars,
        memory_bytes: config.upload.memory_bytes,
        cpu_seconds: wall.as_secs().max(1),
        wall,
    }
}
