//! The composition root: builds everything from the configuration, step by step, and is the only place that knows all.

mod foundation;
mod pruning;
mod relay;
mod resources;
mod rooms;
mod scheduler;
mod workers;

use std::path::PathBuf;
use std::sync::Arc;

use ::scheduler::{Clock, Scheduler};
use foundation::Foundation;
use outbox::Signal;
use question_maker::QuestionGenerator;
pub(crate) use resources::public_url;
use shedlock::LockProvider;
use sse_hub::Hub;
use thiserror::Error;

use crate::admin::{Admin, AdminParts};
use crate::auth::{Auth, SecretError};
use crate::job_settings::BadSetting;
use crate::marking::Marking;
use crate::member::Members;
use crate::platform::broker::Broker;
use crate::platform::clock::Now;
use crate::platform::config::Config;
use crate::platform::db::{ConnectError, Db};
use crate::platform::storage::{FolderStorage, Storage, StorageError};
use crate::question_set::QuestionGenerationWorker;
use crate::question_set::generator::ClientError;
use crate::schedulers::Rooms;
use crate::source::ExtractionLoop;

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
    Scheduler(#[from] ::scheduler::BuildError),
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
        let base = Foundation::prepare(config, &outside.clock).await?;
        let rooms = rooms::build(&base);
        let relay = Arc::new(relay::build(&base, &rooms)?);
        let (scheduler, job_rooms) = scheduler::build(&base, &rooms, &relay, outside.clock)?;
        let worker = workers::generation(&base, &rooms, outside.generator)?;
        let extraction = workers::extraction(&base, &rooms, outside.program);
        let admin = Admin::new(AdminParts {
            scheduler: scheduler.clone(),
            locks: Arc::clone(&base.locks),
            db: base.db.clone(),
            now: Arc::clone(&base.now),
            signal: base.signal.clone(),
            members: rooms.members.clone(),
            auth: rooms.auth.clone(),
            hub: rooms.hub.clone(),
            feed: rooms.feed,
        });
        Ok(Self {
            config: base.config,
            now: base.now,
            db: base.db,
            looks: base.looks,
            storage: base.storage,
            folder: base.folder,
            broker: base.broker,
            locks: base.locks,
            signal: base.signal,
            members: rooms.members,
            auth: rooms.auth,
            rooms: job_rooms,
            marking: rooms.marking,
            hub: rooms.hub,
            scheduler,
            worker,
            extraction,
            admin,
        })
    }

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
