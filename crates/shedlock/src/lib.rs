//! A distributed lock that is compatible with Java ShedLock.
//!
//! The table and its times are Java ShedLock 7's. So a job that runs in Java services and in Rust ones runs
//! once. Beyond that, a lease can be kept alive, its loss is reported to the work that it protects, and every
//! acquisition has a fencing token.
//!
//! ```
//! use std::time::Duration;
//! use shedlock::{LockConfiguration, LockProvider, MemoryLockProvider};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Or PostgresLockProvider, SqliteLockProvider, with a pool; RedisLockProvider, with a client.
//! let provider = MemoryLockProvider::new("host-1234-x7f3");
//! let nightly = LockConfiguration::new(
//!     "nightly",
//!     Duration::from_secs(120), // at most: how soon others take over from a node that died
//!     Duration::from_secs(600), // at least: longer than clocks differ between nodes
//! )?;
//!
//! if let Some(guard) = provider.try_lock(&nightly).await? {
//!     let kept = guard.keep_alive();
//!     let lost = kept.lost();
//!     tokio::select! {
//!         () = work() => {}
//!         () = lost.cancelled() => { /* somebody else may be at work: stop */ }
//!     }
//!     kept.unlock().await?;
//! }
//! # Ok(())
//! # }
//! # async fn work() {}
//! ```
//!
//! # Guarantees
//! - Times come from the database clock, so clocks of nodes may differ.
//! - A holder is one acquisition, not a process: what an expired guard does never touches a newer lock.
//! - An error from an acquisition means that the caller does not own the lock. The database may have taken it all
//!   the same. Then it is given back if the database can be reached, and runs out otherwise.
//! - A guard trusts its lease for as long as the database has confirmed it, less a margin. The time counts from
//!   *before* the request was sent, on a clock that goes on while the process is stopped or the machine sleeps.
//!   [`KeptLock::lost`] is cancelled when that ends.
//! - A process may be stopped between a check and a write, and no clock can prevent that. So writes to the
//!   database of the lock check [`fence`] in their transaction. Writes elsewhere carry
//!   [`LockGuard::fencing_token`].
//! - [`LockProvider::shut_down`] gives back what a process still owns when it ends. That includes dropped guards,
//!   and acquisitions whose answer never came.
//! - Rows are never deleted. Rows that others delete are survived.
//! - Redis can promise less: a failover may forget a lock and its token. `RedisLockProvider` says what is left
//!   of this list.
//!
//! # Other databases
//! Implement [`LockStore`], and [`StoreLockProvider`] does the rest.
//!
//! # Tables
//! [`schema`] creates them. [`LockProvider::check_schema`] reports what is wrong with those that exist.
//!
//! Java ShedLock's statements with database time write UTC into columns without a time zone. Into columns
//! with one they write it as a time of the session's zone. Then not even Java processes agree when their
//! sessions' zones differ. This crate reads and writes such columns in sessions of any zone:
//! - PostgreSQL's `TIMESTAMPTZ` as the instant that it is. Java means the same in sessions in UTC.
//! - MySQL's `TIMESTAMP` in the server's default zone (`@@global.time_zone`). Java's sessions have the same,
//!   unless their driver changes it. With daylight saving, the hour that is left out in spring cannot be
//!   stored. Locks whose end falls into it are free an hour late, and Java's statements fail in it.
//!   `DATETIME` has none of this.
//!
//! # Features
//! `postgres` and `sqlite` (both by default), `mysql` (MariaDB too) and `redis` (Valkey too) bring the
//! providers of those databases. The provider in memory is always there.
//!
//! # Metrics
//! - `shedlock_acquire_total{result="acquired"|"held"|"error"}` counts attempts.
//! - `shedlock_wait_seconds` is how long [`LockProvider::lock`] took to acquire.
//! - `shedlock_hold_seconds` is the time from an acquisition to its unlock.

mod attempt;
mod clock;
mod configuration;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod connection;
mod core;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod database;
mod duration;
mod error;
pub mod fence;
mod guard;

mod keep_alive;
mod memory;
#[cfg(feature = "mysql")]
mod mysql;
mod owned;
#[cfg(feature = "postgres")]
mod postgres;
mod provider;
#[cfg(feature = "redis")]
mod redis;
pub mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

#[cfg(feature = "redis")]
pub use self::redis::RedisLockProvider;
pub use clock::{BootClock, LeaseClock};
pub use configuration::{ConfigurationError, LockConfiguration, MAX_NAME_LENGTH};
pub use duration::{DurationError, parse_duration};
pub use error::{LockError, SchemaError};
pub use guard::LockGuard;
pub use keep_alive::{KeptLock, LeaseTrust};
pub use memory::MemoryLockProvider;
#[cfg(feature = "mysql")]
pub use mysql::MySqlLockProvider;
#[cfg(feature = "postgres")]
pub use postgres::PostgresLockProvider;
pub use provider::{LockInfo, LockProvider, ShutDown};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLockProvider;
pub use store::{LockStore, StoreLockProvider, Taken};
