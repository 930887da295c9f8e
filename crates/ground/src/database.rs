//! A pool of connections to one database.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{SqlSafeStr, SqlStr};
use tokio::{runtime::Handle, time::Instant};

use crate::{
    Connection, Dialect, Fault, Transaction,
    connection::{Link, Manners, Standing},
    transaction::close,
};

/// Connections to one database. A clone is the same pool.
#[derive(Clone, Debug)]
pub struct Database {
    pool: Pool,
    manners: Manners,
    pooler: bool,
    health: Health,
}

#[derive(Clone, Debug)]
enum Pool {
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqlitePool),
}

#[cfg(feature = "postgres")]
impl From<sqlx::PgPool> for Database {
    fn from(pool: sqlx::PgPool) -> Self {
        Self::of(Pool::Postgres(pool))
    }
}

#[cfg(feature = "sqlite")]
impl From<sqlx::SqlitePool> for Database {
    fn from(pool: sqlx::SqlitePool) -> Self {
        Self::of(Pool::Sqlite(pool))
    }
}

impl From<&Database> for Database {
    fn from(database: &Database) -> Self {
        database.clone()
    }
}

impl Database {
    fn of(pool: Pool) -> Self {
        Self {
            pool,
            manners: Manners::default(),
            pooler: false,
            health: Health::default(),
        }
    }

    /// Says that a pooler in transaction mode, such as PgBouncer, stands between this pool and PostgreSQL.
    ///
    /// Every statement is then sent in a transaction, because two messages outside one may reach two servers. None is
    /// prepared under a name.
    #[must_use]
    pub fn behind_transaction_pooler(mut self) -> Self {
        self.pooler = true;
        self.manners.named_statements = false;
        self
    }

    /// Sets how long one statement may take. Without an answer its connection is closed, which counts as an outage: a network
    /// that drops packets says nothing for many minutes.
    #[must_use]
    pub fn statement_deadline(mut self, deadline: Duration) -> Self {
        self.manners.deadline = Some(deadline);
        self
    }

    /// Lets one statement take as long as it needs: a change of a large table, a million rows at once.
    #[must_use]
    pub fn without_statement_deadline(mut self) -> Self {
        self.manners.deadline = None;
        self
    }

    /// The pool's connections judge their age by this, too.
    #[cfg(feature = "postgres")]
    pub(crate) fn with_health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.pool {
            #[cfg(feature = "postgres")]
            Pool::Postgres(_) => Dialect::Postgres,
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Whether a pooler in transaction mode stands between.
    #[must_use]
    pub fn is_behind_transaction_pooler(&self) -> bool {
        self.pooler
    }

    /// sqlx's pool, if this is PostgreSQL.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn postgres(&self) -> Option<&sqlx::PgPool> {
        match &self.pool {
            Pool::Postgres(pool) => Some(pool),
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => None,
        }
    }

    /// sqlx's pool, if this is SQLite.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(&self) -> Option<&sqlx::SqlitePool> {
        match &self.pool {
            #[cfg(feature = "postgres")]
            Pool::Postgres(_) => None,
            Pool::Sqlite(pool) => Some(pool),
        }
    }

    /// Closes all connections. Those in use are closed when they are given back.
    pub async fn close(&self) {
        match &self.pool {
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => pool.close().await,
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => pool.close().await,
        }
    }

    pub(crate) async fn acquire(&self) -> Result<Connection<'static>, sqlx::Error> {
        let link = match &self.pool {
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => Link::PooledPostgres(pool.acquire().await?),
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => Link::PooledSqlite(pool.acquire().await?),
        };
        Ok(Connection::new(
            link,
            self.manners,
            Some(self.health.clone()),
        ))
    }

    pub(crate) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        if self.pooler {
            return Ok(Lent::Transaction(self.begin().await?));
        }
        Ok(Lent::Alone(Alone(Some(self.acquire().await?))))
    }

    pub(crate) fn begin_text(&self, snapshot: bool) -> SqlStr {
        match (self.dialect(), snapshot, self.pooler) {
            #[cfg(feature = "postgres")]
            (Dialect::Postgres, false, false) => "BEGIN".into_sql_str(),
            #[cfg(feature = "postgres")]
            (Dialect::Postgres, true, false) => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ".into_sql_str()
            }
            // The settings that a session cannot have.
            #[cfg(feature = "postgres")]
            (Dialect::Postgres, false, true) => {
                concat!("BEGIN; ", crate::postgres::local_settings!()).into_sql_str()
            }
            #[cfg(feature = "postgres")]
            (Dialect::Postgres, true, true) => concat!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; ",
                crate::postgres::local_settings!()
            )
            .into_sql_str(),
            #[cfg(feature = "sqlite")]
            (Dialect::Sqlite, false, _) => "BEGIN IMMEDIATE".into_sql_str(),
            // Every transaction of SQLite sees one moment.
            #[cfg(feature = "sqlite")]
            (Dialect::Sqlite, true, _) => "BEGIN".into_sql_str(),
        }
    }
}

/// A connection for one statement.
pub(crate) enum Lent {
    Alone(Alone),
    /// What a pooler in transaction mode needs.
    Transaction(Transaction),
}

/// A connection outside any transaction.
pub(crate) struct Alone(Option<Connection<'static>>);

const UNTIL_DROPPED: &str = "a lent connection is there until it is dropped";

impl Deref for Lent {
    type Target = Connection<'static>;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Alone(Alone(connection)) => connection.as_ref().expect(UNTIL_DROPPED),
            Self::Transaction(transaction) => transaction,
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Alone(Alone(connection)) => connection.as_mut().expect(UNTIL_DROPPED),
            Self::Transaction(transaction) => transaction,
        }
    }
}

impl Lent {
    /// Gives the connection back, or closes it.
    pub(crate) async fn done<T>(self, outcome: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        let Self::Transaction(transaction) = self else {
            return outcome;
        };
        match outcome {
            Ok(value) => transaction.commit().await.map(|()| value),
            Err(error) => {
                transaction.rollback().await;
                Err(error)
            }
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let Some(connection) = self.0.take() else {
            return;
        };
        // A pool would wait for the end of a statement that was given up: behind a locked row as long as the row is locked.
        let given_up = connection.trust.is_in_statement() && !connection.is_local();
        // Outside a runtime a pool cannot take it back, and would panic.
        let outside = Handle::try_current().is_err();
        if outside || given_up || connection.trust.standing() == Standing::Spoilt {
            close(connection);
        }
    }
}

/// Since when the connections of a pool are no longer trusted.
///
/// One of them found that its server has become another one, or does not answer any more. Connections that are older than
/// this finding lead to the same place.
#[derive(Clone, Debug)]
pub(crate) struct Health(Arc<HealthCell>);

#[derive(Debug)]
struct HealthCell {
    start: Instant,
    /// Microseconds after the start; 0: never.
    suspect: AtomicU64,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(HealthCell {
            start: Instant::now(),
            suspect: AtomicU64::new(0),
        }))
    }
}

impl Health {
    pub(crate) fn saw(&self, error: &sqlx::Error) {
        let gone = match error {
            // No answer, a reset, an end.
            sqlx::Error::Io(_) => true,
            // Told by a server that is going down.
            sqlx::Error::Database(error) => {
                matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03"))
            }
            _ => false,
        };
        if gone || Fault::of(error) == Fault::ReadOnly {
            self.suspect();
        }
    }

    /// Every connection that is older than this moment is closed when it is next asked for.
    pub(crate) fn suspect(&self) {
        let micros = self.0.start.elapsed().as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX).max(1);
        self.0.suspect.fetch_max(micros, Ordering::AcqRel);
    }

    /// Whether a connection of this age is older than the last finding.
    #[cfg(feature = "postgres")]
    pub(crate) fn is_suspect(&self, age: Duration) -> bool {
        let suspect = Duration::from_micros(self.0.suspect.load(Ordering::Acquire));
        !suspect.is_zero() && self.0.start.elapsed().saturating_sub(age) <= suspect
    }
}
