//! Step 1: the database with its tables, and what the configuration names beside it.

use std::sync::Arc;

use outbox::Signal;
use scheduler::Clock;
use shedlock::LockProvider;

use super::BuildError;
use super::resources::{broker, locks, secrets, storage};
use crate::auth::Secrets;
use crate::platform::broker::Broker;
use crate::platform::clock::Now;
use crate::platform::config::Config;
use crate::platform::db::Db;
use crate::platform::migrations::migrate;
use crate::platform::private_folder::make_private;
use crate::platform::storage::{FolderStorage, Storage};

/// Where the nodes of a cluster tell each other of new events (PostgreSQL's NOTIFY).
const OUTBOX_CHANNEL: &str = "pullit_outbox";

/// Connections of the feed of notifications: one that looks, one that wakes other nodes.
const FEED_CONNECTIONS: u32 = 2;

/// What every room stands on.
pub(super) struct Foundation {
    pub(super) config: Arc<Config>,
    pub(super) now: Now,
    pub(super) db: Db,
    /// The feed's own connections.
    pub(super) looks: Db,
    pub(super) secrets: Secrets,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) folder: Option<Arc<FolderStorage>>,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) locks: Arc<dyn LockProvider>,
    /// Wakes the relay.
    pub(super) signal: Signal,
}

impl Foundation {
    /// Connects, and brings the tables up to date.
    pub(super) async fn prepare(
        config: Config,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, BuildError> {
        let config = Arc::new(config);
        let now: Now = {
            let clock = Arc::clone(clock);
            Arc::new(move || clock.now())
        };
        if let Err(error) = make_private(&config.data_dir) {
            tracing::warn!(
                data_dir = %config.data_dir.display(),
                %error,
                "the data folder cannot be taken from other users of this machine: they may read the signing secret and documents"
            );
        }
        let db = Db::open(config.database_options()).await?;
        for script in migrate(&db).await? {
            tracing::info!(script, "the tables are brought up to date");
        }
        let secrets = secrets(&config)?;
        let (storage, folder) = storage(&config, &secrets, &now)?;
        Ok(Self {
            broker: broker(&config, &db, &now)?,
            locks: locks(&db, &config.node_id)?,
            signal: db.signal(OUTBOX_CHANNEL),
            looks: db.aside(FEED_CONNECTIONS),
            secrets,
            storage,
            folder,
            config,
            now,
            db,
        })
    }
}
