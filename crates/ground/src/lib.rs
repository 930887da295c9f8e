//! What every crate of this workspace stands on: one code path for all databases.
//!
//! It is internal, and promises no stable API. The crates that others use re-export what they need of it.
//!
//! - [`Database`] is a pool of sqlx's. [`Transaction`] is the one guard around BEGIN. [`Connection`] borrows from either.
//! - [`Statements`] runs a [`Sql`] (a text, or [`Dialects`] side by side) with [`Value`]s, and returns [`Row`]s.
//! - [`Fault`] is what an error means. [`Fence`] checks whether a run may still write.
//! - [`Signal`] and [`PostgresWake`] wake whoever waits for work. [`trace`] carries the trace context.
//! - [`postgres`] and [`sqlite`] connect as a service should.

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!("no database: switch on the feature `postgres` or `sqlite`");

mod connection;
mod database;
mod dialect;
mod fault;
mod fence;
mod row;
mod signal;
mod statements;
mod transaction;
mod value;
#[cfg(feature = "postgres")]
mod wake;

#[cfg(feature = "postgres")]
pub mod postgres;
pub mod schema;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod trace;

pub use sqlx;

pub use connection::Connection;
pub use database::Database;
pub use dialect::{Dialect, Dialects, Sql};
pub use fault::{Fault, chain, unexpected};
pub use fence::{Fence, FenceError, NoFence};
pub use row::{At, Column, FromRow, Row};
pub use signal::Signal;
pub use statements::{Answer, Executor, Statements};
pub use trace::TraceParent;
pub use transaction::Transaction;
pub use value::{Value, date_text, time_text};
#[cfg(feature = "postgres")]
pub use wake::PostgresWake;
