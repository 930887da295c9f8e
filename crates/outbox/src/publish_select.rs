use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement, Value};
use uuid::Uuid;

use crate::{OutboxError, sql::time, trace};

/// A query that gives events: rows of `aggregate_key` (text), `payload` (`jsonb`; in SQLite JSON text) and `place`, by
/// which they are ordered. Its parameters are `$1` and so on. Constants, one for each dialect: nothing of the text may
/// come from input.
///
/// ```
/// const RESETS: outbox::EventQuery = outbox::EventQuery {
///     postgres: "SELECT 'member:' || id AS aggregate_key, id AS place,
///             jsonb_build_object('version', 1, 'memberId', id, 'week', $2::text) AS payload
///         FROM member WHERE id > $1 AND id <= $1 + 1000",
///     sqlite: "SELECT 'member:' || id AS aggregate_key, id AS place,
///             json_object('version', 1, 'memberId', id, 'week', $2) AS payload
///         FROM member WHERE id > $1 AND id <= $1 + 1000",
/// };
/// ```
#[derive(Debug, Clone, Copy)]
pub struct EventQuery {
    /// For PostgreSQL.
    pub postgres: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
}

// Version 7, as RFC 9562 lays it out and `publish` makes them: the time, which all events of a statement share, and random
// bits. Names that began at random would scatter a bulk over the whole unique index.
const POSTGRES_UUID: &str =
    "overlay(gen_random_uuid()::text PLACING given_time.text FROM 1 FOR 15)::uuid";
const SQLITE_UUID: &str = "given_time.text || lower(substr(hex(randomblob(2)), 2) || '-' ||
    substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";
/// As far as the version: `tttttttt-tttt-7`.
const UUID_TIME: usize = 15;

/// Publishes what a query gives, in the caller's transaction and in one statement, and returns how many: nothing of the
/// events passes through this process. They belong to the current trace. The transaction grows with them: let the query
/// take a page at a time.
///
/// # Errors
/// When the database refuses the query or a row; roll the transaction back.
pub async fn publish_select<C: ConnectionTrait>(
    tx: &C,
    event_type: &str,
    query: EventQuery,
    values: Vec<Value>,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let own = values.len() + 1;
    let (kind, trace, at, time_of_id) = (own, own + 1, own + 2, own + 3);
    let backend = tx.get_database_backend();
    let (query, uuid) = match backend {
        DatabaseBackend::Postgres => (query.postgres, POSTGRES_UUID),
        _ => (query.sqlite, SQLITE_UUID),
    };
    // Put together from constants.
    let text = format!(
        "INSERT INTO outbox_event
            (event_id, event_type, aggregate_key, payload, traceparent, next_attempt_at, created_at)
        SELECT {uuid}, ${kind}, given.aggregate_key, given.payload, ${trace}, ${at}, ${at}
        FROM ({query}) AS given, (SELECT CAST(${time_of_id} AS text) AS text) AS given_time
        ORDER BY given.place"
    );
    let mut values = values;
    let trace = trace::current().map(|trace| trace.to_string());
    let mut time_of_id = Uuid::now_v7().to_string();
    time_of_id.truncate(UUID_TIME);
    values.extend([
        event_type.into(),
        trace.into(),
        time(tx, now),
        time_of_id.into(),
    ]);
    let statement = Statement::from_sql_and_values(backend, text, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}
