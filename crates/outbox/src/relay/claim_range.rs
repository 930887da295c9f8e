//! Claims a range of ids for the fast path: deletes its events and returns them.
//!
//! Where no event was ever put off, nothing in a range has to wait.

use std::error::Error;
use std::ops::Range;

use chrono::{DateTime, Utc};
use ground::{Connection, Fault, Statements};
use serde::Deserialize;
use uuid::Uuid;

use crate::Event;

// The last column is whether the event is plain: never tried, nor put off.
//
// An event below the range has come since the look, or one was replayed: the next of its key may be in the range by now, and
// must not go first. (Also in SQLite, where the order of the commits is the order of the ids: the range before this one may have reached
// beyond the ids that there were.)
const CLAIM_POSTGRES: &str = "DELETE FROM outbox_event WHERE status = 'PENDING' AND id >= $1 AND id < $2
            AND NOT EXISTS (SELECT 1 FROM outbox_event WHERE status = 'PENDING' AND id >= $3 AND id < $1)
            AND (SELECT id FROM outbox_event
                 WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at)
                 ORDER BY aggregate_key, id LIMIT 1) IS NULL
        RETURNING id, event_id::text, event_type, aggregate_key, payload, traceparent, created_at,
            delivered_to = '[]' AND attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at";

// All rows as one text, and deleted afterwards: what the driver of SQLite does for each row costs more than the row. The
// transaction is the only one that writes, so that it is the same rows.
const READ_SQLITE: &str = "SELECT json_group_array(json_array(id, event_id, event_type, aggregate_key, payload, traceparent, created_at,
            delivered_to = '[]' AND attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at))
        FROM outbox_event WHERE status = 'PENDING' AND id >= $1 AND id < $2
            AND NOT EXISTS (SELECT 1 FROM outbox_event INDEXED BY outbox_event_pending
                            WHERE status = 'PENDING' AND id >= $3 AND id < $1)
            AND (SELECT id FROM outbox_event INDEXED BY outbox_event_put_off
                 WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at)
                 ORDER BY aggregate_key, id LIMIT 1) IS NULL";
const DELETE_SQLITE: &str =
    "DELETE FROM outbox_event WHERE status = 'PENDING' AND id >= $1 AND id < $2";

/// Deletes the events of a range of ids, and returns them in the order of their ids.
///
/// The list is empty when an earlier event (from `from` on) has come, or when any was put off. There is no list when one
/// of the events is not plain or cannot be read; the transaction must then be rolled back.
pub(super) async fn claim_range(
    tx: &mut Connection<'_>,
    ids: Range<i64>,
    from: i64,
) -> Result<Option<Vec<Event>>, sqlx::Error> {
    let events = if tx.dialect().is_postgres() {
        from_postgres(tx, ids, from).await?
    } else {
        from_sqlite(tx, ids, from).await?
    };
    Ok(events.map(|mut events| {
        events.sort_unstable_by_key(|event| event.id);
        events
    }))
}

async fn from_postgres(
    tx: &mut Connection<'_>,
    ids: Range<i64>,
    from: i64,
) -> Result<Option<Vec<Event>>, sqlx::Error> {
    let values = vec![ids.start.into(), ids.end.into(), from.into()];
    let rows = tx.raw_rows(CLAIM_POSTGRES, values).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        match plain(row) {
            Ok(Some(event)) => events.push(event),
            _ => return Ok(None),
        }
    }
    Ok(Some(events))
}

/// By the places of the columns: looking names up costs more than all else.
fn plain(row: &ground::Row) -> Result<Option<Event>, Box<dyn Error>> {
    if !row.get::<bool>(7)? {
        return Ok(None);
    }
    let event_id: String = row.get(1)?;
    let traceparent: Option<String> = row.get(5).unwrap_or_default();
    Ok(Some(Event {
        id: row.get(0)?,
        event_id: event_id.parse()?,
        event_type: row.get(2)?,
        aggregate_key: row.get(3)?,
        payload: row.get(4)?,
        traceparent: traceparent.and_then(|text| text.parse().ok()),
        attempts: 0,
        created_at: row.get(6)?,
    }))
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
    tx: &mut Connection<'_>,
    ids: Range<i64>,
    from: i64,
) -> Result<Option<Vec<Event>>, sqlx::Error> {
    let values = vec![ids.start.into(), ids.end.into(), from.into()];
    let read = match tx.raw_row(READ_SQLITE, values).await {
        Ok(Some(read)) => read,
        Ok(None) => return Ok(None),
        // A text has an end, which what all payloads are together may be past.
        Err(error) if Fault::of(&error) == Fault::Other => return Ok(None),
        Err(error) => return Err(error),
    };
    // One that is no UTF-8 spoils the text of all.
    let Ok(text) = read.get::<String>(0) else {
        return Ok(None);
    };
    let Ok(rows) = serde_json::from_str::<Vec<Row>>(&text) else {
        return Ok(None);
    };
    let events: Option<Vec<Event>> = rows.into_iter().map(Row::event).collect();
    let Some(events) = events else {
        return Ok(None);
    };
    if events.is_empty() {
        return Ok(Some(events));
    }
    let values = vec![ids.start.into(), ids.end.into()];
    let deleted = tx.run(DELETE_SQLITE, values).await?;
    Ok((deleted == events.len() as u64).then_some(events))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test has nobody to return an error to"
)]
mod tests {
    use ground::Database;

    use super::*;

    async fn nine_events(db: &testkit::Database) -> Database {
        let db = db.connect().await;
        crate::schema::create_tables(&db).await.unwrap();
        for id in 1..=9 {
            let publish = format!(
                "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload)
                 VALUES ({id}, '{}', 'A', 'k', '{{}}')",
                Uuid::new_v4()
            );
            db.script(&publish).await.unwrap();
        }
        db
    }

    testkit::on_each_database! {
        async fn a_range_is_left_alone_when_an_earlier_event_has_come_since_the_look(db: testkit::Database) {
            let db = nine_events(&db).await;
            for (first, from, claimed) in [(6, 4, 0), (6, 6, 4), (1, i64::MIN, 9)] {
                let mut tx = db.begin().await.unwrap();
                let events = claim_range(&mut tx, first..100, from).await.unwrap().unwrap();
                assert_eq!(events.len(), claimed, "from {from}");
                tx.rollback().await;
            }
        }

        async fn a_range_is_left_alone_when_an_event_anywhere_was_put_off_since_the_look(db: testkit::Database) {
            let db = nine_events(&db).await;
            let change = "UPDATE outbox_event SET attempts = 1 - attempts WHERE id = 1";
            for claimed in [0, 4] {
                db.script(change).await.unwrap();
                let mut tx = db.begin().await.unwrap();
                let events = claim_range(&mut tx, 6..100, 6).await.unwrap().unwrap();
                assert_eq!(events.len(), claimed);
                tx.rollback().await;
            }
        }
    }
}
