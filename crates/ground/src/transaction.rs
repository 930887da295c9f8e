//! The one guard around BEGIN.
//!
//! A connection goes back to its pool only when it is known to be clean. A caller may drop a transaction at any moment:
//! while BEGIN is in flight, or during a statement. That costs at most its connection, and never the next user's writes.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{SqlSafeStr, SqlStr, pool::PoolConnection};
use sqlx_core::transaction::TransactionManager;
use tokio::runtime::Handle;

use crate::{
    Database,
    connection::{Connection, ENDED_BY_ANOTHER, Link, Standing, on_link},
};

/// A rollback that takes longer is not worth waiting for: the connection is closed, which is one, too.
const ROLLBACK: Duration = Duration::from_secs(5);

/// An open transaction. It ends with [`commit`](Self::commit) or [`rollback`](Self::rollback). When dropped, it rolls back.
#[derive(Debug)]
pub struct Transaction {
    /// Taken at its end alone.
    connection: Option<Connection<'static>>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// BEGIN or COMMIT was sent: whether a transaction is open is not known until it is answered.
    Unknown,
    Open,
}

const UNTIL_ITS_END: &str = "a transaction has its connection until it ends, which consumes it";

impl Deref for Transaction {
    type Target = Connection<'static>;

    fn deref(&self) -> &Self::Target {
        self.connection.as_ref().expect(UNTIL_ITS_END)
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.connection.as_mut().expect(UNTIL_ITS_END)
    }
}

impl<'c> From<&'c mut Transaction> for Connection<'c> {
    fn from(transaction: &'c mut Transaction) -> Self {
        transaction.reborrow()
    }
}

impl Transaction {
    pub(crate) async fn begin(
        connection: Connection<'static>,
        statement: SqlStr,
    ) -> Result<Self, sqlx::Error> {
        // The guard stands before BEGIN is sent.
        let mut transaction = Self {
            connection: Some(connection),
            phase: Phase::Unknown,
        };
        transaction.manage(Command::Begin(statement)).await?;
        transaction.trust.set_depth(1);
        transaction.phase = Phase::Open;
        Ok(transaction)
    }

    /// Before the driver's own connection is lent to somebody else's code: a savepoint in PostgreSQL.
    ///
    /// A `begin` of sqlx (0.9) that is dropped half-way there rolls back one level more than it has opened. Without this it would be
    /// the transaction, and whatever the borrower writes then would commit by itself. With it the transaction stays open, and its
    /// commit is refused.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn shield(&mut self) -> Result<(), sqlx::Error> {
        if self.is_local() || self.trust.depth() > 1 {
            return Ok(());
        }
        self.manage(Command::Savepoint).await?;
        self.trust.set_depth(2);
        Ok(())
    }

    /// Commits.
    ///
    /// # Errors
    /// When nothing was committed: a statement before had failed or was given up, or the database refused. Or when the answer
    /// was lost, after which nobody knows.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.trust.was_handed_out() {
            if self.drivers_depth() != self.trust.depth() {
                self.close();
                return Err(crate::unexpected(ENDED_BY_ANOTHER));
            }
            // PostgreSQL answers COMMIT in a failed transaction with a rollback, and without an error.
            self.run_script("SELECT 1".into_sql_str()).await?;
        }
        if self.trust.is_in_statement() || self.trust.standing() != Standing::Good {
            self.end().await;
            return Err(crate::unexpected(
                "a statement of this transaction failed or was given up: nothing was committed",
            ));
        }
        self.phase = Phase::Unknown;
        if self.trust.depth() > 1 {
            // Of a transaction that was ended by hand it is gone, too.
            if let Err(error) = self.manage(Command::Commit).await {
                self.close();
                return Err(error);
            }
            self.trust.set_depth(1);
        }
        let committed = self.manage(Command::Commit).await;
        match &committed {
            Ok(()) => self.give_back(),
            // The database said no, so it is still there, and so may be the transaction.
            Err(error) if error.as_database_error().is_some() => {
                self.phase = Phase::Open;
                self.end().await;
            }
            Err(_) => {}
        }
        committed
    }

    /// Rolls back. A connection whose server does not confirm is closed, which rolls back, too.
    pub async fn rollback(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        if self.is_local() {
            // SQLite's thread finishes what it was given, and then rolls back.
            self.trust.forget_statement();
        }
        if self.phase != Phase::Open || self.trust.is_in_statement() || !self.is_sound() {
            self.close();
            return;
        }
        self.phase = Phase::Unknown;
        let rollback = async {
            // The savepoint of ours, and then the transaction.
            for _ in 0..self.trust.depth().max(1) {
                self.manage(Command::Rollback).await?;
            }
            Ok::<_, sqlx::Error>(())
        };
        let rolled_back = tokio::time::timeout(ROLLBACK, rollback).await;
        // A savepoint that a borrower left open.
        if self.drivers_depth() != 0 {
            self.close();
            return;
        }
        match rolled_back {
            Ok(Ok(())) => self.give_back(),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a rollback failed: its connection is closed");
                self.close();
            }
            Err(_) => self.close(),
        }
    }

    fn is_sound(&self) -> bool {
        self.trust.standing() != Standing::Spoilt
    }

    fn give_back(&mut self) {
        if self.is_sound() {
            drop(self.connection.take());
        } else {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            close(connection);
        }
    }

    async fn manage(&mut self, command: Command) -> Result<(), sqlx::Error> {
        let connection: &mut Connection<'static> = self;
        let (trust, deadline) = (connection.trust.clone(), connection.manners.deadline);
        on_link!(connection,
            pg => trust.exchange(deadline, command.send::<sqlx::Postgres>(pg)).await,
            lite => trust.exchange(deadline, command.send::<sqlx::Sqlite>(lite)).await
        )
    }
}

enum Command {
    Begin(SqlStr),
    Savepoint,
    Commit,
    Rollback,
}

impl Command {
    async fn send<D: sqlx::Database>(
        self,
        connection: &mut D::Connection,
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Begin(text) => D::TransactionManager::begin(connection, Some(text)).await,
            Self::Savepoint => D::TransactionManager::begin(connection, None).await,
            Self::Commit => D::TransactionManager::commit(connection).await,
            Self::Rollback => D::TransactionManager::rollback(connection).await,
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let clean = self.phase == Phase::Open && !connection.trust.is_in_statement();
        // SQLite's thread finishes what it was given, and then rolls back; a database in memory would end with its connection.
        let waits_for_nobody = connection.is_local() && self.phase == Phase::Open;
        let Ok(runtime) = Handle::try_current() else {
            detach(connection);
            return;
        };
        if !(clean || waits_for_nobody) || connection.trust.standing() == Standing::Spoilt {
            close(connection);
            return;
        }
        // A runtime that shuts down drops the task unasked: nobody is left to try it again then.
        let mut transaction = Self {
            connection: Some(connection),
            phase: Phase::Unknown,
        };
        runtime.spawn(async move {
            transaction.phase = Phase::Open;
            transaction.end().await;
        });
    }
}

/// Closes a connection of a pool without a word to the server that it would have to answer.
pub(crate) fn close(connection: Connection<'static>) {
    if Handle::try_current().is_err() {
        detach(connection);
        return;
    }
    match connection.into_link() {
        #[cfg(feature = "postgres")]
        Link::PooledPostgres(pooled) => hang_up(pooled),
        #[cfg(feature = "sqlite")]
        Link::PooledSqlite(pooled) => hang_up(pooled),
        #[cfg(feature = "postgres")]
        Link::Postgres(_) => {}
        #[cfg(feature = "sqlite")]
        Link::Sqlite(_) => {}
    }
}

fn hang_up<D: sqlx::Database>(mut pooled: PoolConnection<D>) {
    pooled.close_on_drop();
}

/// Outside a runtime a pool cannot take a connection back, and would panic.
fn detach(connection: Connection<'static>) {
    match connection.into_link() {
        #[cfg(feature = "postgres")]
        Link::PooledPostgres(pooled) => drop(pooled.detach()),
        #[cfg(feature = "sqlite")]
        Link::PooledSqlite(pooled) => drop(pooled.detach()),
        #[cfg(feature = "postgres")]
        Link::Postgres(_) => {}
        #[cfg(feature = "sqlite")]
        Link::Sqlite(_) => {}
    }
}

impl Connection<'_> {
    /// Whether the database is in this process.
    pub(crate) fn is_local(&self) -> bool {
        !self.dialect().is_postgres()
    }
}

impl Database {
    /// A transaction that will write. In SQLite it takes the write lock at once, so that it cannot fail half-way.
    ///
    /// # Errors
    /// When no connection is free in time or the database does not answer.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        let text = self.begin_text(false);
        Transaction::begin(self.acquire().await?, text).await
    }

    /// A transaction that only reads. All its statements see the same moment.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_snapshot(&self) -> Result<Transaction, sqlx::Error> {
        let text = self.begin_text(true);
        Transaction::begin(self.acquire().await?, text).await
    }
}
