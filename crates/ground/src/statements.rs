//! Runs statements on a database or inside a transaction.

use std::{borrow::Cow, future::Future, pin::Pin};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::{Column, Connection, Database, Dialect, FromRow, Row, Sql, Transaction, Value};

/// What runs statements: a database, each on any free connection, or one connection.
#[derive(Debug)]
pub enum Executor<'c> {
    /// Each statement commits by itself.
    Database(Cow<'c, Database>),
    /// In its transaction, if it is in one.
    Connection(Connection<'c>),
}

impl<'c> From<&'c Database> for Executor<'c> {
    fn from(database: &'c Database) -> Self {
        Self::Database(Cow::Borrowed(database))
    }
}

#[cfg(feature = "postgres")]
impl From<&sqlx::PgPool> for Executor<'_> {
    fn from(pool: &sqlx::PgPool) -> Self {
        Self::Database(Cow::Owned(pool.clone().into()))
    }
}

#[cfg(feature = "sqlite")]
impl From<&sqlx::SqlitePool> for Executor<'_> {
    fn from(pool: &sqlx::SqlitePool) -> Self {
        Self::Database(Cow::Owned(pool.clone().into()))
    }
}

impl<'c, T> From<&'c mut T> for Executor<'c>
where
    Connection<'c>: From<&'c mut T>,
{
    fn from(connection: &'c mut T) -> Self {
        Self::Connection(connection.into())
    }
}

impl Executor<'_> {
    /// The same, borrowed for a shorter time: for a second statement.
    pub fn reborrow(&mut self) -> Executor<'_> {
        match self {
            Self::Database(database) => Executor::Database(Cow::Borrowed(database)),
            Self::Connection(connection) => Executor::Connection(connection.reborrow()),
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Database(database) => database.dialect(),
            Self::Connection(connection) => connection.dialect(),
        }
    }

    async fn execute(self, sql: SqlStr, values: Vec<Value>) -> Result<u64, sqlx::Error> {
        match self {
            Self::Database(database) => {
                let mut lent = database.lend().await?;
                let done = lent.execute(sql, values).await;
                lent.done(done).await
            }
            Self::Connection(mut connection) => connection.execute(sql, values).await,
        }
    }

    async fn fetch_all(self, sql: SqlStr, values: Vec<Value>) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Database(database) => {
                let mut lent = database.lend().await?;
                let rows = lent.fetch_all(sql, values).await;
                lent.done(rows).await
            }
            Self::Connection(mut connection) => connection.fetch_all(sql, values).await,
        }
    }

    async fn fetch_first(
        self,
        sql: SqlStr,
        values: Vec<Value>,
    ) -> Result<Option<Row>, sqlx::Error> {
        match self {
            Self::Database(database) => {
                let mut lent = database.lend().await?;
                let row = lent.fetch_first(sql, values).await;
                lent.done(row).await
            }
            Self::Connection(mut connection) => connection.fetch_first(sql, values).await,
        }
    }

    async fn script(self, text: SqlStr) -> Result<u64, sqlx::Error> {
        match self {
            Self::Database(database) => {
                let mut lent = database.lend().await?;
                let done = lent.run_script(text).await;
                lent.done(done).await
            }
            Self::Connection(mut connection) => connection.run_script(text).await,
        }
    }
}

/// What a statement answers, once. Boxed: the compiler cannot see that a generic future with a lifetime is `Send`
/// (rust-lang/rust#100013), and every spawned task would stumble over it.
pub type Answer<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

/// The statements of whatever can run them: `&Database`, `&mut Transaction`, `&mut Connection`, an [`Executor`].
///
/// Every error is the driver's. [`Fault::of`](crate::Fault::of) says what it means.
pub trait Statements<'c>: Into<Executor<'c>> + Send {
    /// Runs a statement, and returns the number of rows that it changed.
    fn run<S: Sql>(self, sql: S, values: Vec<Value>) -> Answer<'c, Result<u64, sqlx::Error>> {
        let executor = self.into();
        let sql = sql.text(executor.dialect());
        Box::pin(executor.execute(sql, values))
    }

    /// The first row, if there is one.
    fn row<T: FromRow + Send + 'c, S: Sql>(
        self,
        sql: S,
        values: Vec<Value>,
    ) -> Answer<'c, Result<Option<T>, sqlx::Error>> {
        let row = self.raw_row(sql, values);
        Box::pin(async move { row.await?.as_ref().map(T::from_row).transpose() })
    }

    /// All rows. The statement bounds their number.
    fn rows<T: FromRow + Send + 'c, S: Sql>(
        self,
        sql: S,
        values: Vec<Value>,
    ) -> Answer<'c, Result<Vec<T>, sqlx::Error>> {
        let rows = self.raw_rows(sql, values);
        Box::pin(async move { rows.await?.iter().map(T::from_row).collect() })
    }

    /// The first row, not read yet.
    fn raw_row<S: Sql>(
        self,
        sql: S,
        values: Vec<Value>,
    ) -> Answer<'c, Result<Option<Row>, sqlx::Error>> {
        let executor = self.into();
        let sql = sql.text(executor.dialect());
        Box::pin(executor.fetch_first(sql, values))
    }

    /// All rows, not read yet, so that one that cannot be read does not stop the others. The statement bounds their number.
    fn raw_rows<S: Sql>(
        self,
        sql: S,
        values: Vec<Value>,
    ) -> Answer<'c, Result<Vec<Row>, sqlx::Error>> {
        let executor = self.into();
        let sql = sql.text(executor.dialect());
        Box::pin(executor.fetch_all(sql, values))
    }

    /// The first column of the first row, if there is one.
    fn scalar<T: Column + Send + 'c, S: Sql>(
        self,
        sql: S,
        values: Vec<Value>,
    ) -> Answer<'c, Result<Option<T>, sqlx::Error>> {
        let row = self.raw_row(sql, values);
        Box::pin(async move { row.await?.map(|row| row.get(0)).transpose() })
    }

    /// The first column of every row.
    fn scalars<T: Column + Send + 'c, S: Sql>(
        self,
        sql: S,
        values: Vec<Value>,
    ) -> Answer<'c, Result<Vec<T>, sqlx::Error>> {
        let rows = self.raw_rows(sql, values);
        Box::pin(async move { rows.await?.iter().map(|row| row.get(0)).collect() })
    }

    /// Statements without parameters, unprepared and separated by semicolons: schemas, sessions. Nothing of the text may
    /// come from input.
    fn script(self, text: &str) -> Answer<'c, Result<u64, sqlx::Error>> {
        let text = AssertSqlSafe(text.to_owned()).into_sql_str();
        Box::pin(self.into().script(text))
    }
}

impl<'c, T: Into<Executor<'c>> + Send> Statements<'c> for T {}

impl Transaction {
    /// This transaction's connection, to be lent.
    pub fn connection(&mut self) -> &mut Connection<'static> {
        self
    }
}
