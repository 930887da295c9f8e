//! The operator's room: the console, and the JSON behind it.
//!
//! Everything under `/admin/api` needs an operator's access token. The page itself holds no data and needs none; its script signs in and asks
//! the JSON like any other client.

mod console;
mod failure;
pub mod job_view;
mod jobs;
pub mod lock_release;
mod locks;
mod members;
mod operator;
mod outbox;
mod overview;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use utoipa_axum::router::OpenApiRouter;

use crate::auth::Auth;
use crate::member::Members;
use crate::notification::Feed;
use crate::platform::clock::Now;
use crate::platform::db::Db;

pub use self::console::console;
pub use self::locks::LockRow;
pub use self::outbox::{EventView, OutboxSummary};

/// How long the answer to a run by hand waits for its end.
const RUN_TIMEOUT: Duration = Duration::from_secs(20);

/// What the operator's room works with.
#[derive(Clone, Debug)]
pub struct Admin {
    parts: Arc<AdminParts>,
    started: DateTime<Utc>,
    run_timeout: Duration,
}

/// The parts of an [`Admin`].
pub struct AdminParts {
    /// The jobs of this process.
    pub scheduler: scheduler::Scheduler,
    /// The locks of the cluster.
    pub locks: Arc<dyn shedlock::LockProvider>,
    /// The database of the outbox.
    pub db: Db,
    /// What time it is.
    pub now: Now,
    /// Wakes the relay after a replay.
    pub signal: ::outbox::Signal,
    /// The members.
    pub members: Members,
    /// Ends the sessions of who is banned.
    pub auth: Auth,
    /// The event streams of this process.
    pub hub: sse_hub::Hub<i64>,
    /// What feeds them.
    pub feed: Arc<Feed>,
}

impl std::fmt::Debug for AdminParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminParts").finish_non_exhaustive()
    }
}

impl Admin {
    /// The room; its uptime counts from now.
    #[must_use]
    pub fn new(parts: AdminParts) -> Self {
        let started = (parts.now)();
        Self {
            parts: Arc::new(parts),
            started,
            run_timeout: RUN_TIMEOUT,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.parts.now)()
    }
}

/// The JSON of the room.
pub fn routes(admin: Admin) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(overview::routes())
        .merge(jobs::routes())
        .merge(locks::routes())
        .merge(outbox::routes())
        .merge(members::routes())
        .merge(streams::routes())
        .with_state(admin)
}
