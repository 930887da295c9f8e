//! A range of events deleted, and what it held. Where no event was ever put off, nothing in a range of ids has to wait.

use std::ops::Range;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr};
use serde::Deserialize;
use uuid::Uuid;

use super::{low_water::Look, row};
use crate::{Event, sql::Sql};

// The last column is whether the event is plain: never tried, nor put off.
//
// An event below the range has committed since the look: the next of its key may be in the range by now, and must not go first.
// (In SQLite the order of the commits is the order of the ids.)
const TAKE_POSTGRES: Sql = Sql::same(
    "DELETE FROM outbox_event WHERE status = 'PENDING' AND id >= $1 AND id < $2
            AND NOT EXISTS (SELECT 1 FROM outbox_event WHERE status = 'PENDING' AND id >= $3 AND id < $1)
        RETURNING id, event_id::text, event_type, aggregate_key, payload::text, traceparent, created_at,
            delivered_to = '[]' AND attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at",
);

// All rows as one text, and deleted afterwards: what the driver of SQLite does for each row costs more than the row. The
// transaction is the only one that writes, so that it is the same rows.
const READ_SQLITE: Sql = Sql::same(
    "SELECT json_group_array(json_array(id, event_id, event_type, aggregate_key, payload, traceparent, created_at,
            delivered_to = '[]' AND attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at))
        FROM outbox_event WHERE status = 'PENDING' AND id >= $1 AND id < $2",
);
const DELETE_SQLITE: Sql =
    Sql::same("DELETE FROM outbox_event WHERE status = 'PENDING' AND id >= $1 AND id < $2");

const PLAIN: usize = 7;

/// Deletes the events of the next `width` ids from the look's first on, and returns them in the order of their ids: none, when
/// an earlier one has come since. Or nothing, when one of them is not plain or cannot be read. The transaction must then be rolled
/// back.
pub(super) async fn take(
    tx: &DatabaseTransaction,
    look: &Look,
    width: u64,
) -> Result<Option<Vec<Event>>, DbErr> {
    let width = i64::try_from(width).unwrap_or(i64::MAX);
    let ids = look.first..look.first.saturating_add(width);
    let events = match tx.get_database_backend() {
        DatabaseBackend::Postgres => from_postgres(tx, ids, look.from).await?,
        _ => from_sqlite(tx, ids).await?,
    };
    Ok(events.map(|mut events| {
        events.sort_unstable_by_key(|event| event.id);
        events
    }))
}

async fn from_postgres(
    tx: &DatabaseTransaction,
    ids: Range<i64>,
    from: i64,
) -> Result<Option<Vec<Event>>, DbErr> {
    let take = TAKE_POSTGRES.with(tx, [ids.start.into(), ids.end.into(), from.into()]);
    let rows = tx.query_all_raw(take).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        match row::event(row) {
            Ok(event) if row.try_get_by_index(PLAIN)? => events.push(event),
            _ => return Ok(None),
        }
    }
    Ok(Some(events))
}

/// The columns in their order.
#[derive(Deserialize)]
struct Row {
    id: i64,
    event_id: Uuid,
    event_type: String,
    aggregate_key: String,
    payload: String,
    traceparent: Option<String>,
    created_at: DateTime<Utc>,
    plain: i64,
}

impl Row {
    fn event(self) -> Option<Event> {
        if self.plain == 0 {
            return None;
        }
        Some(Event {
            id: self.id,
            event_id: self.event_id,
            event_type: self.event_type,
            aggregate_key: self.aggregate_key,
            payload: serde_json::from_str(&self.payload).ok()?,
            traceparent: self.traceparent.and_then(|text| text.parse().ok()),
            attempts: 0,
            created_at: self.created_at,
        })
    }
}

async fn from_sqlite(
    tx: &DatabaseTransaction,
    ids: Range<i64>,
) -> Result<Option<Vec<Event>>, DbErr> {
    let values = || [ids.start.into(), ids.end.into()];
    let Some(read) = tx.query_one_raw(READ_SQLITE.with(tx, values())).await? else {
        return Ok(None);
    };
    // One that is no UTF-8 spoils the text of all.
    let Ok(text) = read.try_get_by_index::<String>(0) else {
        return Ok(None);
    };
    let Ok(rows) = serde_json::from_str::<Vec<Row>>(&text) else {
        return Ok(None);
    };
    let events: Option<Vec<Event>> = rows.into_iter().map(Row::event).collect();
    let Some(events) = events else {
        return Ok(None);
    };
    let deleted = tx.execute_raw(DELETE_SQLITE.with(tx, values())).await?;
    Ok((deleted.rows_affected() == events.len() as u64).then_some(events))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test has nobody to return an error to"
)]
mod tests {
    use super::*;
    use crate::sql::begin_write;

    #[tokio::test]
    async fn a_range_is_left_alone_when_an_earlier_event_has_come_since_the_look() {
        let database = testkit::Database::postgres().await;
        let db = database.connect().await;
        crate::schema::lay(&db).await.unwrap();
        let fill = "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
            SELECT gen_random_uuid(), 'A', 'k', '{}' FROM generate_series(1, 9)";
        db.execute_unprepared(fill).await.unwrap();
        for (first, from, taken) in [(6, 4, 0), (6, 6, 4), (1, i64::MIN, 9)] {
            let look = Look {
                first,
                from,
                put_off: false,
            };
            let tx = begin_write(&db).await.unwrap();
            let events = take(&tx, &look, 100).await.unwrap().unwrap();
            assert_eq!(events.len(), taken, "from {from}");
            tx.rollback().await.unwrap();
        }
    }
}
