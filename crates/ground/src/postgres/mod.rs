//! Connects to PostgreSQL as a service should.
//!
//! Waits are bounded on both sides. A connection is trusted only while it leads to the right server. Of several hosts, the
//! one that takes writes is found.

mod primary;
mod target;

use std::{io, time::Duration};

use sqlx::{Connection as _, PgPool, postgres::PgPoolOptions};

pub use target::{Target, UrlError};

use crate::{Database, database::Health};

/// How long a statement may wait for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that was used so recently is taken to be alive.
const RECENT: Duration = Duration::from_secs(1);
/// A connection has so long to say that it still lives.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// Limits that the server enforces for a session of ours, so that no transaction locks rows when its node is gone.
///
/// A transaction that waits for its client ends after five seconds, one that waits for a lock after ten. A client that is
/// silently gone is found.
pub const SESSION_SETTINGS: [(&str, &str); 6] = [
    ("idle_in_transaction_session_timeout", "5s"),
    ("lock_timeout", "10s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];

/// Of these, what a transaction can have behind a pooler in transaction mode, where the session is another one's, too.
macro_rules! local_settings {
    () => {
        "SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL lock_timeout = '10s'"
    };
}
pub(crate) use local_settings;

/// How a pool is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds the pool.
    pub max_connections: u32,
    /// Whether a pooler in transaction mode stands between: no session settings, no named statements.
    pub transaction_pooler: bool,
    /// One statement may take this long (see [`Database::statement_deadline`]).
    pub statement_deadline: Option<Duration>,
}

/// A pool, with one connection made to see that it can be. Of several hosts the one that takes writes is looked for now, and again
/// whenever it stops to do so, until the pool is closed.
///
/// # Errors
/// When the server cannot be reached, or refuses us.
pub async fn connect(target: &Target, options: &Options) -> Result<Database, sqlx::Error> {
    let database = pool(target, options, target.writable_host().await);
    let pool = database.postgres().cloned();
    // One connection, to see that it can be made.
    if let Some(pool) = pool {
        drop(pool.acquire().await?);
    }
    Ok(database)
}

/// A pool whose connections are made when they are first needed.
#[must_use]
pub fn connect_lazy(target: &Target, options: &Options) -> Database {
    pool(target, options, 0)
}

fn pool(target: &Target, options: &Options, host: usize) -> Database {
    let target = target.clone().for_sessions(options.transaction_pooler);
    let health = Health::default();
    let pool = pool_options(&target, options.max_connections, &health)
        .connect_lazy_with(target.host(host));
    if target.hosts() > 1 {
        tokio::spawn(primary::follow(pool.clone(), target, health.clone(), host));
    }
    let mut database = Database::from(pool).with_health(health);
    if options.transaction_pooler {
        database = database.behind_transaction_pooler();
    }
    match options.statement_deadline {
        Some(deadline) => database.statement_deadline(deadline),
        None => database,
    }
}

fn pool_options(target: &Target, max_connections: u32, health: &Health) -> PgPoolOptions {
    let health = health.clone();
    let must_write = target.must_write();
    PgPoolOptions::new()
        .max_connections(max_connections)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Instead, below: with a deadline, and not where it was just used.
        .test_before_acquire(false)
        .before_acquire(move |connection, about| {
            let health = health.clone();
            Box::pin(async move {
                if health.is_suspect(about.age) {
                    return Ok(false);
                }
                if about.idle_for < RECENT {
                    return Ok(true);
                }
                match tokio::time::timeout(PING_TIMEOUT, connection.ping()).await {
                    Ok(answer) => Ok(answer.is_ok()),
                    Err(_) => {
                        health.suspect();
                        Err(io::Error::new(io::ErrorKind::TimedOut, "no answer to a ping").into())
                    }
                }
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if must_write && !primary::takes_writes(connection).await? {
                    let standby = "the server takes no writes (target_session_attrs)";
                    return Err(io::Error::other(standby).into());
                }
                Ok(())
            })
        })
}

/// Whether the database can hold every text, Korean included.
///
/// # Errors
/// When the database does not answer.
pub async fn encoding(pool: &PgPool) -> Result<String, sqlx::Error> {
    // As a simple query, which every pooler takes.
    let row = sqlx::Executor::fetch_one(pool, sqlx::raw_sql("SHOW server_encoding")).await?;
    sqlx::Row::try_get(&row, 0)
}
