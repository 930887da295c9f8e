//! Publishing what a query gives, in one statement.

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Statements, Value, trace};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::OutboxError;

/// A query that gives events, as constants for each dialect: nothing of the text may come from input.
///
/// Its columns are `aggregate_key` (text), `payload` (`jsonb`, in SQLite JSON text) and `place`, which orders the
/// events. Its parameters are `$1` and so on.
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

impl From<EventQuery> for Dialects {
    fn from(EventQuery { postgres, sqlite }: EventQuery) -> Self {
        Self { postgres, sqlite }
    }
}

// Version 7, as RFC 9562 lays it out and `publish` makes them: the time, which all events of a statement share, and random
// bits. Names that began at random would scatter a bulk over the whole unique index.
const UUID: Dialects = Dialects {
    postgres: "overlay(gen_random_uuid()::text PLACING given_time.text FROM 1 FOR 15)::uuid",
    sqlite: "given_time.text || lower(substr(hex(randomblob(2)), 2) || '-' ||
        substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
};
/// As far as the version: `tttttttt-tttt-7`.
const UUID_TIME: usize = 15;

/// Publishes what a query gives, in the caller's transaction and in one statement, and returns how many.
///
/// The events do not pass through this process. They belong to the current trace. The transaction grows with them, so let
/// the query take a page at a time.
///
/// # Errors
/// When the database refuses the query or a row; roll the transaction back.
pub async fn publish_select(
    tx: impl Into<Connection<'_>>,
    event_type: &str,
    query: EventQuery,
    values: Vec<Value>,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let own = values.len() + 1;
    let (kind, trace, at, time_of_id) = (own, own + 1, own + 2, own + 3);
    let mut tx = tx.into();
    let query = Dialects::from(query).of(tx.dialect());
    let uuid = UUID.of(tx.dialect());
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
        now.into(),
        time_of_id.into(),
    ]);
    Ok(tx.run(AssertSqlSafe(text), values).await?)
}
