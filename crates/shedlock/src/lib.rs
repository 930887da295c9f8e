//! A lock in a shared table that Java ShedLock and Rust processes exclude each other with.

mod check;
mod clock;
mod configuration;
mod core;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod database;
mod error;
pub mod fence;
mod guard;
mod keep_alive;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod provider;
pub mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use configuration::{ConfigurationError, LockConfiguration, MAX_NAME_LENGTH};
pub use error::{LockError, SchemaError};
pub use guard::LockGuard;
pub use keep_alive::KeptLock;
pub use memory::MemoryLockProvider;
#[cfg(feature = "postgres")]
pub use postgres::PostgresLockProvider;
pub use provider::{LockInfo, LockProvider};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLockProvider;
