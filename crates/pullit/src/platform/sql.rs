//! One way to run a statement on either database.
//!
//! Statements are constants with `$1` placeholders, which both drivers understand. The two databases differ in how they keep times:
//! PostgreSQL has a type for them, SQLite gets ISO 8601 text with exactly microseconds and `+00:00`, so that text order is time order.
//! That difference is settled here, once, for every statement of the service.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Statement, Value};

/// A statement in both dialects, side by side, where one text cannot serve both.
#[derive(Clone, Copy, Debug)]
pub struct Dialects {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

/// What can be run: one text for both databases, or one for each.
pub trait Sql: Copy + Send + Sync {
    /// The text for this database.
    fn text(self, backend: DbBackend) -> &'static str;
}

impl Sql for &'static str {
    fn text(self, _: DbBackend) -> &'static str {
        self
    }
}

impl Sql for Dialects {
    fn text(self, backend: DbBackend) -> &'static str {
        match backend {
            DbBackend::Postgres => self.postgres,
            _ => self.sqlite,
        }
    }
}

/// A time as SQLite keeps it: ISO 8601, microseconds, `+00:00`.
pub fn sqlite_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, false)
}

fn for_backend(backend: DbBackend, value: Value) -> Value {
    match (backend, value) {
        (DbBackend::Sqlite, Value::ChronoDateTimeUtc(time)) => Value::String(time.map(sqlite_time)),
        (DbBackend::Sqlite, Value::ChronoDate(date)) => {
            Value::String(date.map(|date| date.format("%Y-%m-%d").to_string()))
        }
        (_, value) => value,
    }
}

/// The statement for this connection's database, with its values bound as that database keeps them.
pub fn statement<S: Sql>(backend: DbBackend, sql: S, values: Vec<Value>) -> Statement {
    let values = values
        .into_iter()
        .map(|value| for_backend(backend, value))
        .collect::<Vec<_>>();
    Statement::from_sql_and_values(backend, sql.text(backend), values)
}

/// Running statements on a pool or inside a transaction.
#[async_trait]
pub trait SqlExt: ConnectionTrait {
    /// Runs a statement; the number of rows it changed.
    async fn run<S: Sql>(&self, sql: S, values: Vec<Value>) -> Result<u64, DbErr> {
        let statement = statement(self.get_database_backend(), sql, values);
        Ok(self.execute_raw(statement).await?.rows_affected())
    }

    /// The first row, if there is one.
    async fn row<T: FromQueryResult, S: Sql>(
        &self,
        sql: S,
        values: Vec<Value>,
    ) -> Result<Option<T>, DbErr> {
        let statement = statement(self.get_database_backend(), sql, values);
        match self.query_one_raw(statement).await? {
            Some(row) => T::from_query_result(&row, "").map(Some),
            None => Ok(None),
        }
    }

    /// All rows. The statement bounds their number.
    async fn rows<T: FromQueryResult, S: Sql>(
        &self,
        sql: S,
        values: Vec<Value>,
    ) -> Result<Vec<T>, DbErr> {
        let rows = self.raw_rows(sql, values).await?;
        rows.iter()
            .map(|row| T::from_query_result(row, ""))
            .collect()
    }

    /// All rows, not read yet: one that cannot be need not stop the others. The statement bounds their number.
    async fn raw_rows<S: Sql>(
        &self,
        sql: S,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let statement = statement(self.get_database_backend(), sql, values);
        self.query_all_raw(statement).await
    }

    /// The first column of the first row, if there is one.
    async fn scalar<T: sea_orm::TryGetable + Send, S: Sql>(
        &self,
        sql: S,
        values: Vec<Value>,
    ) -> Result<Option<T>, DbErr> {
        let statement = statement(self.get_database_backend(), sql, values);
        match self.query_one_raw(statement).await? {
            Some(row) => row.try_get_by_index(0).map(Some),
            None => Ok(None),
        }
    }

    /// The first column of every row.
    async fn scalars<T: sea_orm::TryGetable + Send, S: Sql>(
        &self,
        sql: S,
        values: Vec<Value>,
    ) -> Result<Vec<T>, DbErr> {
        let statement = statement(self.get_database_backend(), sql, values);
        self.query_all_raw(statement)
            .await?
            .iter()
            .map(|row| row.try_get_by_index(0))
            .collect()
    }
}

impl<C: ConnectionTrait + ?Sized> SqlExt for C {}

/// Ids as the one parameter of `IN (SELECT value FROM json_each($1))` (SQLite) or
/// `= ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint))` (PostgreSQL): the statement stays a constant whatever their number.
pub fn id_list(ids: &[i64]) -> Value {
    let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    Value::from(format!("[{list}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_times_have_microseconds_and_sort_as_text() {
        let second = DateTime::from_timestamp(1_795_341_600, 0).unwrap();
        let later = DateTime::from_timestamp(1_795_341_600, 1_000).unwrap();
        assert_eq!(sqlite_time(second), "2026-11-22T10:00:00.000000+00:00");
        assert_eq!(sqlite_time(later), "2026-11-22T10:00:00.000001+00:00");
        assert!(sqlite_time(second) < sqlite_time(later));
    }

    #[test]
    fn a_missing_time_is_null_text_in_sqlite() {
        let value = for_backend(DbBackend::Sqlite, Value::ChronoDateTimeUtc(None));
        assert_eq!(value, Value::String(None));
    }
}
