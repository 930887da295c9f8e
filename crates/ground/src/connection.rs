//! One connection, and whether it can still be trusted.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{SqlStr, pool::PoolConnection};
use sqlx_core::transaction::TransactionManager;

use crate::{Dialect, Row, Value, database::Health, fault::spoils, value};

/// A connection to one of the databases, most often inside a transaction: what a user of sqlx has, borrowed for a while.
///
/// Made of `&mut PgConnection`, `&mut SqliteConnection` or a transaction of either. Statements run through [`Statements`](crate::Statements).
pub struct Connection<'c> {
    pub(crate) link: Link<'c>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) manners: Manners,
}

pub(crate) enum Link<'c> {
    #[cfg(feature = "postgres")]
    Postgres(&'c mut sqlx::PgConnection),
    #[cfg(feature = "postgres")]
    PooledPostgres(PoolConnection<sqlx::Postgres>),
    #[cfg(feature = "sqlite")]
    Sqlite(&'c mut sqlx::SqliteConnection),
    #[cfg(feature = "sqlite")]
    PooledSqlite(PoolConnection<sqlx::Sqlite>),
}

/// How statements are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// Whether statements are prepared under a name, which a pooler in transaction mode does not bear.
    pub(crate) named_statements: bool,
    /// One statement may take this long, the way to the server and back included: a network that drops packets says nothing.
    pub(crate) deadline: Option<Duration>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            named_statements: true,
            deadline: None,
        }
    }
}

/// What is known of a connection's state.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// Of the pool, which learns from every error.
    health: Option<Health>,
    /// A statement was sent, and its end was not seen (its future was dropped).
    in_statement: AtomicBool,
    /// See [`Standing`].
    standing: AtomicU8,
    /// The driver's own connection was handed out: not every error was seen here.
    handed_out: AtomicBool,
    /// How many transactions and savepoints of ours are open on it, as the driver counts them; 0: not ours to know.
    depth: AtomicUsize,
}

/// What the errors of a connection's statements say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Standing {
    /// Every statement succeeded.
    Good,
    /// One failed, or was given up: in PostgreSQL the transaction can only be rolled back.
    Failed,
    /// It must not be used again: the server is not the right one, or gone, or the database rolled back by itself.
    Spoilt,
}

impl Trust {
    pub(crate) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            0 => Standing::Good,
            1 => Standing::Failed,
            _ => Standing::Spoilt,
        }
    }

    pub(crate) fn is_in_statement(&self) -> bool {
        self.in_statement.load(Ordering::Acquire)
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth.load(Ordering::Acquire)
    }

    pub(crate) fn set_depth(&self, depth: usize) {
        self.depth.store(depth, Ordering::Release);
    }

    pub(crate) fn was_handed_out(&self) -> bool {
        self.handed_out.load(Ordering::Acquire)
    }

    /// For a database whose statements end by themselves.
    pub(crate) fn forget_statement(&self) {
        self.in_statement.store(false, Ordering::Release);
    }

    fn saw(&self, error: &sqlx::Error) {
        if let Some(health) = &self.health {
            health.saw(error);
        }
        let standing = if spoils(error) {
            Standing::Spoilt
        } else if error.as_database_error().is_some() {
            Standing::Failed
        } else {
            Standing::Good
        };
        self.standing.fetch_max(standing as u8, Ordering::AcqRel);
    }

    /// Runs one exchange with the server, within the deadline, and remembers how it ended.
    pub(crate) async fn exchange<T>(
        &self,
        deadline: Option<Duration>,
        work: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, sqlx::Error> {
        if self.in_statement.swap(true, Ordering::AcqRel) {
            // An earlier one was given up, and nobody saw how it ended.
            self.standing
                .fetch_max(Standing::Failed as u8, Ordering::AcqRel);
        }
        let outcome = match deadline {
            Some(deadline) => match tokio::time::timeout(deadline, work).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let silence = format!("no answer within {deadline:?}");
                    Err(io::Error::new(io::ErrorKind::TimedOut, silence).into())
                }
            },
            None => work.await,
        };
        self.in_statement.store(false, Ordering::Release);
        if let Err(error) = &outcome {
            self.saw(error);
        }
        outcome
    }
}

/// Runs `$work` on the driver's connection, whichever it is.
macro_rules! on_link {
    ($connection:expr, $pg:ident => $postgres:expr, $lite:ident => $sqlite:expr) => {
        match &mut $connection.link {
            #[cfg(feature = "postgres")]
            Link::Postgres(connection) => {
                let $pg: &mut sqlx::PgConnection = connection;
                $postgres
            }
            #[cfg(feature = "postgres")]
            Link::PooledPostgres(connection) => {
                let $pg: &mut sqlx::PgConnection = connection;
                $postgres
            }
            #[cfg(feature = "sqlite")]
            Link::Sqlite(connection) => {
                let $lite: &mut sqlx::SqliteConnection = connection;
                $sqlite
            }
            #[cfg(feature = "sqlite")]
            Link::PooledSqlite(connection) => {
                let $lite: &mut sqlx::SqliteConnection = connection;
                $sqlite
            }
        }
    };
}
pub(crate) use on_link;

impl<'c> Connection<'c> {
    pub(crate) fn new(link: Link<'c>, manners: Manners, health: Option<Health>) -> Self {
        let trust = Trust {
            health,
            ..Trust::default()
        };
        Self {
            link,
            trust: Arc::new(trust),
            manners,
        }
    }

    /// The same connection, borrowed for a shorter time.
    pub fn reborrow(&mut self) -> Connection<'_> {
        let trust = Arc::clone(&self.trust);
        let manners = self.manners;
        let link = on_link!(self, pg => Link::Postgres(pg), lite => Link::Sqlite(lite));
        Connection {
            link,
            trust,
            manners,
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.link {
            #[cfg(feature = "postgres")]
            Link::Postgres(_) | Link::PooledPostgres(_) => Dialect::Postgres,
            #[cfg(feature = "sqlite")]
            Link::Sqlite(_) | Link::PooledSqlite(_) => Dialect::Sqlite,
        }
    }

    /// sqlx's own connection to PostgreSQL, for its queries. It stands in the transaction of whoever lent it: commit and rollback are
    /// not yours.
    ///
    /// # Errors
    /// When it is another database.
    #[cfg(feature = "postgres")]
    pub fn postgres(&mut self) -> Result<&mut sqlx::PgConnection, sqlx::Error> {
        self.before()?;
        self.trust.handed_out.store(true, Ordering::Release);
        on_link!(self, pg => Ok(pg), _lite => Err(another("PostgreSQL")))
    }

    /// sqlx's own connection to SQLite, for its queries. It stands in the transaction of whoever lent it: commit and rollback are
    /// not yours.
    ///
    /// # Errors
    /// When it is another database.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(&mut self) -> Result<&mut sqlx::SqliteConnection, sqlx::Error> {
        self.before()?;
        self.trust.handed_out.store(true, Ordering::Release);
        on_link!(self, _pg => Err(another("SQLite")), lite => Ok(lite))
    }

    pub(crate) async fn execute(
        &mut self,
        sql: SqlStr,
        values: Vec<Value>,
    ) -> Result<u64, sqlx::Error> {
        let (trust, manners) = self.before()?;
        on_link!(self,
            pg => {
                let query = sqlx::query_with(sql, value::postgres(values)?);
                let query = query.persistent(manners.named_statements);
                let done = trust.exchange(manners.deadline, query.execute(pg)).await?;
                Ok(done.rows_affected())
            },
            lite => {
                let query = sqlx::query_with(sql, value::sqlite(values)?);
                let done = trust.exchange(manners.deadline, query.execute(lite)).await?;
                Ok(done.rows_affected())
            }
        )
    }

    pub(crate) async fn fetch_all(
        &mut self,
        sql: SqlStr,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let (trust, manners) = self.before()?;
        on_link!(self,
            pg => {
                let query = sqlx::query_with(sql, value::postgres(values)?);
                let query = query.persistent(manners.named_statements);
                let rows = trust.exchange(manners.deadline, query.fetch_all(pg)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            },
            lite => {
                let query = sqlx::query_with(sql, value::sqlite(values)?);
                let rows = trust.exchange(manners.deadline, query.fetch_all(lite)).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
        )
    }

    pub(crate) async fn fetch_first(
        &mut self,
        sql: SqlStr,
        values: Vec<Value>,
    ) -> Result<Option<Row>, sqlx::Error> {
        let (trust, manners) = self.before()?;
        on_link!(self,
            pg => {
                let query = sqlx::query_with(sql, value::postgres(values)?);
                let query = query.persistent(manners.named_statements);
                let row = trust.exchange(manners.deadline, query.fetch_optional(pg)).await?;
                Ok(row.map(Row::Postgres))
            },
            lite => {
                let query = sqlx::query_with(sql, value::sqlite(values)?);
                let row = trust.exchange(manners.deadline, query.fetch_optional(lite)).await?;
                Ok(row.map(Row::Sqlite))
            }
        )
    }

    /// Statements without parameters, unprepared, separated by semicolons.
    pub(crate) async fn run_script(&mut self, text: SqlStr) -> Result<u64, sqlx::Error> {
        let (trust, manners) = self.before()?;
        on_link!(self,
            pg => {
                let work = sqlx::raw_sql(text).execute(pg);
                Ok(trust.exchange(manners.deadline, work).await?.rows_affected())
            },
            lite => {
                let work = sqlx::raw_sql(text).execute(lite);
                Ok(trust.exchange(manners.deadline, work).await?.rows_affected())
            }
        )
    }

    /// What SQLite has rolled back by itself would commit every further statement at once, and so would what somebody else has ended.
    fn before(&mut self) -> Result<(Arc<Trust>, Manners), sqlx::Error> {
        if self.trust.standing() == Standing::Spoilt {
            return Err(sqlx::Error::Io(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "an earlier statement has spoilt this connection; roll back and begin again",
            )));
        }
        if self.trust.depth() > 0 {
            // SQLite may have rolled back: `INSERT OR ROLLBACK`. PostgreSQL would say so itself.
            if self.trust.standing() == Standing::Failed && self.is_local() {
                return Err(crate::unexpected(
                    "an earlier statement of this transaction failed; roll back and begin again",
                ));
            }
            if self.drivers_depth() < self.trust.depth() {
                return Err(crate::unexpected(ENDED_BY_ANOTHER));
            }
        }
        Ok((Arc::clone(&self.trust), self.manners))
    }

    /// The transactions and savepoints that the driver takes to be open.
    pub(crate) fn drivers_depth(&mut self) -> usize {
        on_link!(self,
            pg => depth_of::<sqlx::Postgres>(pg),
            lite => depth_of::<sqlx::Sqlite>(lite)
        )
    }

    pub(crate) fn into_link(self) -> Link<'c> {
        self.link
    }
}

pub(crate) const ENDED_BY_ANOTHER: &str = "this transaction was ended by somebody who had borrowed its connection (a savepoint that was given up \
     half-way, a commit or a rollback by hand); begin again";

fn depth_of<D: sqlx::Database>(connection: &D::Connection) -> usize {
    D::TransactionManager::get_transaction_depth(connection)
}

#[cfg(all(feature = "postgres", feature = "sqlite"))]
fn another(wanted: &str) -> sqlx::Error {
    crate::unexpected(format!("this connection is not {wanted}'s"))
}

impl std::fmt::Debug for Connection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("dialect", &self.dialect())
            .field("trust", &self.trust)
            .finish()
    }
}

macro_rules! lends {
    ($($feature:literal $link:ident: $connection:ty, $database:ty;)*) => {$(
        #[cfg(feature = $feature)]
        impl<'c> From<&'c mut $connection> for Connection<'c> {
            fn from(connection: &'c mut $connection) -> Self {
                Self::new(Link::$link(connection), Manners::default(), None)
            }
        }

        #[cfg(feature = $feature)]
        impl<'c> From<&'c mut PoolConnection<$database>> for Connection<'c> {
            fn from(connection: &'c mut PoolConnection<$database>) -> Self {
                Self::new(Link::$link(connection), Manners::default(), None)
            }
        }

        #[cfg(feature = $feature)]
        impl<'c> From<&'c mut sqlx::Transaction<'_, $database>> for Connection<'c> {
            fn from(transaction: &'c mut sqlx::Transaction<'_, $database>) -> Self {
                Self::new(Link::$link(&mut *transaction), Manners::default(), None)
            }
        }
    )*};
}

lends! {
    "postgres" Postgres: sqlx::PgConnection, sqlx::Postgres;
    "sqlite" Sqlite: sqlx::SqliteConnection, sqlx::Sqlite;
}

impl<'c> From<&'c mut Connection<'_>> for Connection<'c> {
    fn from(connection: &'c mut Connection<'_>) -> Self {
        connection.reborrow()
    }
}
