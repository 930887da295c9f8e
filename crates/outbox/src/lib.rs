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
//!
//! - Many events: [`publish_all`], [`Bulk`] for a stream of millions, [`publish_select`] for what a query can give.
//! - A publish wakes the relay through a [`Signal`], and in other processes through [`PostgresWake`], after the commit.
//! - Events carry the [`trace`] in which they were published.
//! - What an operator does to a dead event is on record in [`audit`].
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use outbox::{ApplyError, Destination, Event, NewEvent, Projection, Relay, RelayRun};
//! use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseTransaction, TransactionTrait};
//!
//! /// Counts orders, in the transaction that deletes their events.
//! struct Orders;
//!
//! #[async_trait::async_trait]
//! impl Projection for Orders {
//!     fn name(&self) -> &str {
//!         "orders"
//!     }
//!
//!     async fn apply(&self, tx: &DatabaseTransaction, events: &[Event]) -> Result<(), ApplyError> {
//!         let sql = format!("UPDATE shop SET orders = orders + {}", events.len());
//!         tx.execute_unprepared(&sql).await?;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = ConnectOptions::new("sqlite::memory:");
//! let db = Database::connect(options.max_connections(1).to_owned()).await?;
//! outbox::schema::lay(&db).await?;
//! db.execute_unprepared("CREATE TABLE shop (orders INTEGER)").await?;
//! db.execute_unprepared("INSERT INTO shop VALUES (0)").await?;
//!
//! let tx = db.begin().await?;
//! let placed = serde_json::json!({"version": 1, "orderId": 7});
//! outbox::publish(&tx, NewEvent::new("ORDER_PLACED", "order:7", placed), chrono::Utc::now()).await?;
//! tx.commit().await?;
//!
//! let relay = Relay::builder(db.clone())
//!     .route("ORDER_PLACED", Destination::Projection(Arc::new(Orders)))
//!     .build()?;
//! let report = relay.run(&RelayRun::new(Duration::from_secs(1))).await?;
//! assert_eq!(report.delivered, 1);
//! # let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), "SELECT orders FROM shop")).await?;
//! # assert_eq!(row.ok_or("no row")?.try_get::<i64>("", "orders")?, 1);
//! # Ok(())
//! # }
//! ```

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
