//! A transactional outbox for SeaORM: publish, relay, inbox, dead letters.
//!
//! - [`publish`] inserts an event in the caller's transaction: it exists if, and only if, that transaction commits.
//! - A [`Relay`] hands what was committed to its destinations, in id order per aggregate key. A [`Projection`] is an
//!   effect in the same database and commits with the deletion of its events (exactly once). A [`Transport`] carries
//!   events outside; an event is deleted after its confirmation (at least once), and the consumer drops repeats with
//!   [`inbox::first_time`].
//! - A failing event waits with exponential backoff and holds back only its own key. After its last attempt it is
//!   `DEAD`: kept for [`dead::replay`] or [`dead::discard`], while its key goes on.
//!
//! There is no cursor: what stands in the table is undelivered, so that a transaction which took a smaller id and
//! committed later is never passed by.

pub mod audit;
pub mod dead;
pub mod inbox;
pub mod schema;
pub mod trace;

mod backlog;
mod bulk;
mod destination;
mod error;
mod event;
mod guard;
mod publish;
mod publish_select;
mod relay;
mod signal;
mod sql;
mod wake;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use backlog::{Backlog, StatusCount, backlog, list};
pub use bulk::{Bulk, BulkError, BulkReport};
pub use destination::{Destination, Projection, Transport};
pub use error::{
    ApplyError, DeliveryError, GuardError, OutboxError, RelayError, RouteError, is_conflict,
};
pub use event::{Event, EventStatus, NewEvent, StoredEvent};
pub use guard::{Guard, NoGuard};
pub use publish::{publish, publish_all};
pub use publish_select::{EventQuery, publish_select};
pub use relay::{Jitter, Relay, RelayBuilder, RelayReport, RelayRun};
pub use signal::Signal;
pub use trace::TraceParent;
pub use wake::PostgresWake;

/// The clock, passed in so that a test can move it.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
