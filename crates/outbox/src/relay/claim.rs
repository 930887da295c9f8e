use std::{
    collections::{HashMap, HashSet},
    error::Error,
    ops::Range,
};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QueryResult, Value};
use uuid::Uuid;

use crate::{
    Event,
    sql::{Sql, time},
};

/// An event that is due, with what is known of earlier attempts.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) event: Event,
    /// Attempts that failed because a destination could not be reached.
    pub(super) postponed: i32,
    /// The destinations that confirmed it before.
    pub(super) delivered_to: Vec<String>,
    /// Why the row cannot be read, if so. Such a row is given up, or it would stop everything behind it.
    pub(super) unreadable: Option<String>,
}

// An event waits when it was ever put off (after a failure, or by its publisher) and its time has not come; it then
// holds back the later events of its key. One that was never put off is due whatever the publisher's clock said.
//
// The backlog is read from its start every time, in windows of ids: without stale or missing statistics coming into
// it, no plan of the database can read more than the window.
const START: Sql = Sql {
    postgres: "SELECT MIN(id) AS start FROM outbox_event WHERE status = 'PENDING' AND id > $1",
    sqlite: "SELECT MIN(id) AS start FROM outbox_event INDEXED BY outbox_event_pending
        WHERE status = 'PENDING' AND id > $1",
};

const DUE: Sql = Sql {
    postgres:
        "SELECT id, event_id::text AS event_id, event_type, aggregate_key, payload::text AS payload,
            traceparent, attempts, postponed, created_at, delivered_to::text AS delivered_to
        FROM outbox_event
        WHERE status = 'PENDING' AND id >= $2 AND id < $3
          AND (next_attempt_at <= $1
               OR (attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at))
          AND aggregate_key NOT IN (SELECT jsonb_array_elements_text($4::jsonb))
        ORDER BY id LIMIT $5",
    sqlite: "SELECT id, event_id, event_type, aggregate_key, payload,
            traceparent, attempts, postponed, created_at, delivered_to
        FROM outbox_event
        WHERE status = 'PENDING' AND id >= $2 AND id < $3
          AND (next_attempt_at <= $1
               OR (attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at))
          AND aggregate_key NOT IN (SELECT value FROM json_each($4))
        ORDER BY id LIMIT $5",
};

const WAITING: Sql = Sql {
    postgres: "SELECT aggregate_key, MIN(id) AS first FROM outbox_event
        WHERE aggregate_key = ANY (ARRAY(SELECT jsonb_array_elements_text($2::jsonb)))
          AND status = 'PENDING'
          AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at)
          AND next_attempt_at > $1
        GROUP BY aggregate_key",
    sqlite: "SELECT aggregate_key, MIN(id) AS first
        FROM outbox_event INDEXED BY outbox_event_put_off
        WHERE aggregate_key IN (SELECT value FROM json_each($2))
          AND status = 'PENDING'
          AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at)
          AND next_attempt_at > $1
        GROUP BY aggregate_key",
};

/// The first `limit` due events that no earlier event of their key holds back, in id order.
pub(super) async fn claim(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Claimed>, DbErr> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut claimed = Vec::new();
    let mut held: HashMap<String, i64> = HashMap::new();
    let mut before = i64::MIN;
    let mut window = i64::try_from(limit).unwrap_or(i64::MAX).saturating_mul(4);
    while claimed.len() < limit {
        let Some(start) = start(db, before).await? else {
            break;
        };
        let end = start.saturating_add(window);
        let wanted = limit - claimed.len();
        // What is held back from here on need not be read again.
        let skipped = held
            .iter()
            .filter(|(_, first)| **first < start)
            .map(|(key, _)| key.as_str());
        let page = due(db, now, start..end, skipped, wanted).await?;
        before = match page.last() {
            Some(last) if page.len() == wanted => last.event.id,
            _ => end - 1,
        };
        // Asked after the events were read: what begins to wait in between is seen.
        held.extend(waiting(db, now, &page).await?);
        claimed.extend(page.into_iter().filter(|claimed| {
            held.get(&claimed.event.aggregate_key)
                .is_none_or(|first| claimed.event.id < *first)
        }));
        window = window.saturating_mul(2);
    }
    Ok(claimed)
}

async fn start(db: &DatabaseConnection, before: i64) -> Result<Option<i64>, DbErr> {
    let row = db.query_one_raw(START.with(db, [before.into()])).await?;
    row.map_or(Ok(None), |row| row.try_get("", "start"))
}

async fn due(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    ids: Range<i64>,
    skipped: impl Iterator<Item = &str>,
    limit: usize,
) -> Result<Vec<Claimed>, DbErr> {
    let values = [
        time(db, now),
        ids.start.into(),
        ids.end.into(),
        json_list(skipped),
        i64::try_from(limit).unwrap_or(i64::MAX).into(),
    ];
    let rows = db.query_all_raw(DUE.with(db, values)).await?;
    rows.iter()
        .map(|row| read(row).or_else(|reason| unreadable(row, now, reason.as_ref())))
        .collect()
}

/// The first waiting event of each key of a page.
async fn waiting(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    page: &[Claimed],
) -> Result<Vec<(String, i64)>, DbErr> {
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let keys: HashSet<&str> = page
        .iter()
        .map(|claimed| claimed.event.aggregate_key.as_str())
        .collect();
    let values = [time(db, now), json_list(keys.into_iter())];
    let rows = db.query_all_raw(WAITING.with(db, values)).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "aggregate_key")?, row.try_get("", "first")?)))
        .collect()
}

fn json_list<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    texts.collect::<serde_json::Value>().to_string().into()
}

fn unreadable(row: &QueryResult, now: DateTime<Utc>, reason: &dyn Error) -> Result<Claimed, DbErr> {
    Ok(Claimed {
        event: Event {
            id: row.try_get("", "id")?,
            event_id: Uuid::nil(),
            event_type: row.try_get("", "event_type")?,
            aggregate_key: row.try_get("", "aggregate_key")?,
            payload: serde_json::Value::Null,
            traceparent: None,
            attempts: row.try_get("", "attempts")?,
            created_at: now,
        },
        postponed: 0,
        delivered_to: Vec::new(),
        unreadable: Some(reason.to_string()),
    })
}

fn read(row: &QueryResult) -> Result<Claimed, Box<dyn Error>> {
    let event_id: String = row.try_get("", "event_id")?;
    let payload: String = row.try_get("", "payload")?;
    let delivered_to: String = row.try_get("", "delivered_to")?;
    let traceparent: Option<String> = row.try_get("", "traceparent")?;
    Ok(Claimed {
        event: Event {
            id: row.try_get("", "id")?,
            event_id: event_id
                .parse()
                .map_err(|error| format!("event_id: {error}"))?,
            event_type: row.try_get("", "event_type")?,
            aggregate_key: row.try_get("", "aggregate_key")?,
            payload: serde_json::from_str(&payload).map_err(|error| format!("payload: {error}"))?,
            // A trace is for looking things up: one that cannot be read must not stop its event.
            traceparent: traceparent.and_then(|text| text.parse().ok()),
            attempts: row.try_get("", "attempts")?,
            created_at: row.try_get("", "created_at")?,
        },
        postponed: row.try_get("", "postponed")?,
        delivered_to: serde_json::from_str(&delivered_to)
            .map_err(|error| format!("delivered_to: {error}"))?,
        unreadable: None,
    })
}
