use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{
    ColIdx, ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr,
    IsolationLevel, QueryResult, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait, Value, sea_query::ArrayType,
};

/// One statement in the two dialects.
pub(crate) struct Sql {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
}

impl Sql {
    /// A statement that both databases understand.
    pub(crate) const fn same(text: &'static str) -> Self {
        Self {
            postgres: text,
            sqlite: text,
        }
    }

    pub(crate) fn with<C, I>(&self, db: &C, values: I) -> Statement
    where
        C: ConnectionTrait,
        I: IntoIterator<Item = Value>,
    {
        let backend = db.get_database_backend();
        let text = match backend {
            DatabaseBackend::Postgres => self.postgres,
            _ => self.sqlite,
        };
        Statement::from_sql_and_values(backend, text, values)
    }
}

/// A time as the database stores it: TIMESTAMPTZ in PostgreSQL, sortable text in SQLite.
pub(crate) fn time<C: ConnectionTrait>(db: &C, at: DateTime<Utc>) -> Value {
    match db.get_database_backend() {
        DatabaseBackend::Postgres => at.into(),
        _ => time_text(at).into(),
    }
}

/// ISO 8601 with exactly six fractional digits and `+00:00`.
pub(crate) fn time_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// A list of ids as one parameter, so that the statement stays constant: an array in PostgreSQL, JSON in SQLite.
pub(crate) fn id_list<C: ConnectionTrait>(db: &C, ids: &[i64]) -> Value {
    match db.get_database_backend() {
        DatabaseBackend::Postgres => array(ArrayType::BigInt, ids.iter().map(|id| (*id).into())),
        _ => serde_json::json!(ids).to_string().into(),
    }
}

/// A list of texts, as [`id_list`].
pub(crate) fn text_list<'a, C: ConnectionTrait>(
    db: &C,
    texts: impl IntoIterator<Item = &'a str>,
) -> Value {
    let texts = texts.into_iter();
    match db.get_database_backend() {
        DatabaseBackend::Postgres => array(ArrayType::String, texts.map(Value::from)),
        _ => texts.collect::<serde_json::Value>().to_string().into(),
    }
}

fn array(of: ArrayType, values: impl Iterator<Item = Value>) -> Value {
    Value::Array(of, Some(Box::new(values.collect())))
}

/// A text that somebody else chose. SQLite also keeps texts that are no UTF-8: what is not, is shown as U+FFFD, so that one row does not
/// make all others unreadable.
pub(crate) fn text<C: ColIdx>(row: &QueryResult, column: C) -> Result<String, DbErr> {
    row.try_get_by(column).or_else(|error| {
        let bytes: Vec<u8> = row.try_get_by(column).map_err(|_| error)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// A transaction that writes. In SQLite it takes the write lock at once: one that upgrades later fails with "busy"
/// without waiting.
///
/// It begins in a task of its own. A caller that is dropped while PostgreSQL's BEGIN is under way would give the
/// connection back to the pool with the transaction open and unknown to the driver (sqlx 0.9), and what the next user
/// of the connection believes to be committed would be lost.
pub(crate) async fn begin_write(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    begin(db, options).await
}

/// A transaction whose statements all see the same moment. Begun as [`begin_write`] does.
pub(crate) async fn begin_read(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let postgres = db.get_database_backend() == DatabaseBackend::Postgres;
    let options = TransactionOptions {
        // In SQLite every transaction is so.
        isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
        ..TransactionOptions::default()
    };
    begin(db, options).await
}

async fn begin(
    db: &DatabaseConnection,
    options: TransactionOptions,
) -> Result<DatabaseTransaction, DbErr> {
    let db = db.clone();
    let begin = tokio::spawn(async move { db.begin_with_options(options).await });
    begin
        .await
        .unwrap_or_else(|error| Err(DbErr::Custom(format!("begin did not finish: {error}"))))
}
