//! Servers of a test's own, for what the shared ones of `./scripts/test` must not suffer: a crash.
//!
//! They are the Debian packages that `./scripts/test` installs, each with a folder and ports of its own. Killing the
//! process loses nothing that was confirmed. A power cut would. Dropping the value ends the processes and removes the
//! folder, whatever happens to the test.

mod daemon;
mod pgbouncer;
mod postgres;
mod rabbitmq;

pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use rabbitmq::RabbitMq;
