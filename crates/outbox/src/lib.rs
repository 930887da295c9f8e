//! A transactional outbox for sqlx, on PostgreSQL and SQLite: publish, relay, inbox, dead letters.
//!
//! - [`publish`] inserts an event in the caller's transaction. The event exists if, and only if, that commits.
//! - A [`Relay`] takes committed events to their destinations, in id order per aggregate key.
//! - A [`Projection`] is an effect in the same database. It commits with the deletion of its events: exactly once.
//! - A [`Transport`] delivers events outside. An event is deleted after its confirmation: at least once. The consumer
//!   drops repeats with [`inbox::first_time`].
//! - A failing event waits with exponential backoff, and holds back only its own key. After its last attempt it is
//!   `DEAD`, and its key goes on. An operator uses [`dead::replay`] or [`dead::discard`].
//!
//! There is no cursor: what stands in the table is undelivered. So the relay never skips a transaction that took a
//! smaller id and committed later.
//!
//! - To publish from another driver or language, run the [`statements`]. For SeaORM there is the feature `sea-orm`.
//! - To publish many events, use [`publish_all`], [`Bulk`] (a stream of millions) or [`publish_select`] (a query).
//! - After the commit, wake the relay through a [`Signal`], and in other processes through [`PostgresWake`].
//! - Events carry the [`trace`] in which they were published.
//! - [`audit`] records what operators do to dead events.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use outbox::{ApplyError, Connection, Destination, Event, NewEvent, Projection, Relay, RelayRun};
//! use sqlx::sqlite::SqlitePoolOptions;
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
//!     async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
//!         sqlx::query("UPDATE shop SET orders = orders + $1")
//!             .bind(i64::try_from(events.len()).unwrap_or(i64::MAX))
//!             .execute(tx.sqlite()?)
//!             .await?;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
//! outbox::schema::create_tables(&pool).await?;
//! sqlx::query("CREATE TABLE shop (orders INTEGER)").execute(&pool).await?;
//! sqlx::query("INSERT INTO shop VALUES (0)").execute(&pool).await?;
//!
//! let mut tx = pool.begin().await?;
//! let placed = serde_json::json!({"version": 1, "orderId": 7});
//! outbox::publish(&mut tx, NewEvent::new("ORDER_PLACED", "order:7", placed), chrono::Utc::now()).await?;
//! tx.commit().await?;
//!
//! let relay = Relay::builder(pool.clone())
//!     .route("ORDER_PLACED", Destination::Projection(Arc::new(Orders)))
//!     .build()?;
//! let report = relay.run(&RelayRun::new(Duration::from_secs(1))).await?;
//! assert_eq!(report.delivered, 1);
//! # let orders: i64 = sqlx::query_scalar("SELECT orders FROM shop").fetch_one(&pool).await?;
//! # assert_eq!(orders, 1);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "unit tests live in real time")
)]

pub mod audit;
pub mod dead;
pub mod inbox;
pub mod schema;
#[cfg(feature = "sea-orm")]
pub mod sea_orm;
pub mod statements;

mod backlog;
mod bulk;
mod destination;
mod error;
mod event;
mod publish;
mod publish_select;
mod relay;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use backlog::{Backlog, StatusCount, backlog, list};
pub use bulk::{Bulk, BulkError, BulkReport};
pub use destination::{Destination, Projection, Transport};
pub use error::{ApplyError, DeliveryError, OutboxError, RelayError, RouteError};
pub use event::{Event, EventStatus, NewEvent, StoredEvent};
#[cfg(feature = "postgres")]
pub use ground::PostgresWake;
pub use ground::{
    Answer, At, Column, Connection, Database, Dialect, Dialects, Executor, Fault, Fence,
    FenceError, FromRow, NoFence, Row, Signal, Sql, Statements, TraceParent, Transaction, Value,
    from_row, trace,
};
pub use publish::{publish, publish_all};
pub use publish_select::{EventQuery, publish_select};
pub use relay::{Jitter, Relay, RelayBuilder, RelayReport, RelayRun};
pub use tokio_util::sync::CancellationToken;

/// The clock, passed in so that a test can move it.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
