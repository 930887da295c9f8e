//! Claims events: finds those that are due.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use chrono::{DateTime, Utc};
use ground::{Connection, Database, Dialects, Statements, Value};

use super::row::{self, Claimed};

// An event waits when it was ever put off (after a failure, or by its publisher) and its time has not come; it then
// holds back the later events of its key. One that was never put off is due whatever the publisher's clock said.
//
// The backlog is read in windows of ids: without stale or missing statistics coming into
// it, no plan of the database can read more than the window.
const START: Dialects = Dialects {
    postgres: "SELECT MIN(id) AS start FROM outbox_event WHERE status = 'PENDING' AND id > $1",
    sqlite: "SELECT MIN(id) AS start FROM outbox_event INDEXED BY outbox_event_pending
        WHERE status = 'PENDING' AND id > $1",
};

const DUE: Dialects = Dialects {
    postgres:
        "SELECT id, event_id::text, event_type, aggregate_key, payload::text, traceparent, created_at,
            attempts, postponed, delivered_to::text
        FROM outbox_event
        WHERE status = 'PENDING' AND id >= $2 AND id < $3
          AND (next_attempt_at <= $1
               OR (attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at))
          AND aggregate_key NOT IN (SELECT unnest($4::text[]))
        ORDER BY id LIMIT $5",
    sqlite: "SELECT id, event_id, event_type, aggregate_key, payload, traceparent, created_at,
            attempts, postponed, delivered_to
        FROM outbox_event
        WHERE status = 'PENDING' AND id >= $2 AND id < $3
          AND (next_attempt_at <= $1
               OR (attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at))
          AND aggregate_key NOT IN (SELECT value FROM json_each($4))
        ORDER BY id LIMIT $5",
};

// An event that was given up and is replayed may be anywhere, and may have come since the look.
const PUT_OFF_BELOW: Dialects = Dialects {
    postgres: "SELECT id FROM outbox_event
        WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at) AND id + 0 < $1
        ORDER BY aggregate_key, id LIMIT 1",
    sqlite: "SELECT id FROM outbox_event INDEXED BY outbox_event_put_off
        WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at) AND id < $1
        ORDER BY aggregate_key, id LIMIT 1",
};

// Bounded on both sides: without statistics, PostgreSQL may choose the index of all pending events.
const WAITING: Dialects = Dialects {
    postgres: "SELECT aggregate_key, MIN(id) AS first FROM outbox_event
        WHERE aggregate_key = ANY ($2) AND id >= $3 AND id <= $4
          AND status = 'PENDING'
          AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at)
          AND next_attempt_at > $1
        GROUP BY aggregate_key",
    sqlite: "SELECT aggregate_key, MIN(id) AS first
        FROM outbox_event INDEXED BY outbox_event_put_off
        WHERE aggregate_key IN (SELECT value FROM json_each($2)) AND id >= $3 AND id <= $4
          AND status = 'PENDING'
          AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at)
          AND next_attempt_at > $1
        GROUP BY aggregate_key",
};

/// The first `limit` due events that no earlier event of their key holds back, in id order. Only events that were put off
/// stand below `from`.
///
/// All windows are read from one snapshot. With a snapshot for each, an event could commit in a window that was already
/// read. The next of its key, which waited for that commit, could then be found in a later window, and overtake it.
pub(super) async fn claim(
    db: &Database,
    now: DateTime<Utc>,
    from: i64,
    limit: u64,
) -> Result<Vec<Claimed>, sqlx::Error> {
    let mut snapshot = db.begin_snapshot().await?;
    let claimed = claim_in(&mut snapshot, now, from, limit).await;
    // Ended here, so that the one connection of SQLite is free for the next statement.
    snapshot.rollback().await;
    claimed
}

async fn claim_in(
    tx: &mut Connection<'_>,
    now: DateTime<Utc>,
    from: i64,
    limit: u64,
) -> Result<Vec<Claimed>, sqlx::Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let from = match tx.raw_row(PUT_OFF_BELOW, vec![from.into()]).await? {
        Some(_) => i64::MIN,
        None => from,
    };
    let mut claimed = Vec::new();
    let mut held_back: HashMap<String, i64> = HashMap::new();
    let mut next = start_after(tx, from.saturating_sub(1)).await?;
    let mut window = i64::try_from(limit).unwrap_or(i64::MAX).saturating_mul(4);
    while let Some(start) = next {
        let end = start.saturating_add(window);
        let wanted = limit - claimed.len();
        // What is held back from here on need not be read again.
        let skipped = held_back
            .iter()
            .filter(|(_, first)| **first < start)
            .map(|(key, _)| key.as_str());
        let page = due(tx, now, start..end, skipped, wanted).await?;
        let before = match page.last() {
            Some(last) if page.len() == wanted => last.event.id,
            _ => end - 1,
        };
        held_back.extend(waiting(tx, now, from, &page).await?);
        claimed.extend(page.into_iter().filter(|claimed| {
            held_back
                .get(&claimed.event.aggregate_key)
                .is_none_or(|first| claimed.event.id < *first)
        }));
        if claimed.len() >= limit {
            break;
        }
        if end == i64::MAX {
            break;
        }
        window = window.saturating_mul(2);
        next = start_after(tx, before).await?;
    }
    Ok(claimed)
}

async fn start_after(tx: &mut Connection<'_>, before: i64) -> Result<Option<i64>, sqlx::Error> {
    let start: Option<Option<i64>> = tx.scalar(START, vec![before.into()]).await?;
    Ok(start.flatten())
}

async fn due(
    tx: &mut Connection<'_>,
    now: DateTime<Utc>,
    ids: Range<i64>,
    skipped: impl Iterator<Item = &str>,
    limit: usize,
) -> Result<Vec<Claimed>, sqlx::Error> {
    let values = vec![
        now.into(),
        ids.start.into(),
        ids.end.into(),
        Value::texts(skipped),
        i64::try_from(limit).unwrap_or(i64::MAX).into(),
    ];
    let rows = tx.raw_rows(DUE, values).await?;
    rows.iter().map(|row| row::claimed(row, now)).collect()
}

/// The first waiting event of each key of a page, where one stands before the page's end.
async fn waiting(
    tx: &mut Connection<'_>,
    now: DateTime<Utc>,
    from: i64,
    page: &[Claimed],
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let Some(last) = page.last() else {
        return Ok(Vec::new());
    };
    let keys: HashSet<&str> = page
        .iter()
        .map(|claimed| claimed.event.aggregate_key.as_str())
        .collect();
    let values = vec![
        now.into(),
        Value::texts(keys),
        from.into(),
        last.event.id.into(),
    ];
    let rows = tx.raw_rows(WAITING, values).await?;
    rows.iter()
        .map(|row| Ok((row.get("aggregate_key")?, row.get("first")?)))
        .collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test has nobody to return an error to"
)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_commits_while_a_batch_is_read_is_not_in_any_of_its_windows() {
        let database = testkit::Database::postgres().await;
        let db = database.connect().await;
        crate::schema::create_tables(&db).await.unwrap();
        let publish = "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
            VALUES (gen_random_uuid(), 'A', 'k', '{}')";
        db.script(publish).await.unwrap();
        let mut snapshot = db.begin_snapshot().await.unwrap();
        for _ in 0..2 {
            let batch = claim_in(&mut snapshot, Utc::now(), i64::MIN, 10)
                .await
                .unwrap();
            assert_eq!(batch.len(), 1);
            db.script(publish).await.unwrap();
        }
        snapshot.rollback().await;
        let batch = claim(&db, Utc::now(), i64::MIN, 10).await.unwrap();
        assert_eq!(batch.len(), 3);
    }
    testkit::on_each_database! {
        async fn an_event_replayed_since_the_look_comes_before_what_the_look_saw(db: testkit::Database) {
            let db = db.connect().await;
            crate::schema::create_tables(&db).await.unwrap();
            for (id, attempts) in [(7, 1), (2000, 0)] {
                let publish = format!(
                    "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload, attempts)
                     VALUES ({id}, '{}', 'A', 'k', '{{}}', {attempts})",
                    uuid::Uuid::new_v4()
                );
                db.script(&publish).await.unwrap();
            }
            let batch = claim(&db, Utc::now(), 1500, 10).await.unwrap();
            let ids: Vec<i64> = batch.iter().map(|claimed| claimed.event.id).collect();
            assert_eq!(ids, [7, 2000]);
        }
    }

    /// Pages that are read to find the waiting events of 100 keys, by the plan that is kept for any of them.
    async fn pages(tx: &mut Connection<'_>, from: i64, last: i64) -> u64 {
        let keys: Vec<String> = (0..100).map(|key| format!("k{key}")).collect();
        let keys = keys.join(" ");
        let text = format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE waiting
             (now(), string_to_array('{keys}', ' '), {from}, {last})"
        );
        let explain = sqlx::raw_sql(sqlx::AssertSqlSafe(text));
        let row = explain.fetch_one(tx.postgres().unwrap()).await.unwrap();
        let plan: serde_json::Value = sqlx::Row::try_get_unchecked::<String, _>(&row, 0)
            .unwrap()
            .parse()
            .unwrap();
        let blocks = |kind: &str| plan[0]["Plan"][kind].as_u64().unwrap();
        blocks("Shared Hit Blocks") + blocks("Shared Read Blocks")
    }

    // PostgreSQL keeps a plan from when the table was small, and may have chosen the index of all pending events.
    #[tokio::test]
    async fn what_waits_is_found_without_reading_what_was_delivered() {
        let database = testkit::Database::postgres().await;
        let db = database.connect().await;
        crate::schema::create_tables(&db).await.unwrap();
        let run = async |statement: &str| db.script(statement).await.unwrap();
        // It would have a new plan made.
        run("ALTER TABLE outbox_event SET (autovacuum_enabled = false)").await;
        let other = database.connect().await;
        let mut tx = other.begin().await.unwrap();
        let prepare = format!(
            "SET LOCAL plan_cache_mode = force_generic_plan;
             PREPARE waiting (timestamptz, text[], bigint, bigint) AS {}",
            WAITING.postgres
        );
        tx.script(&prepare).await.unwrap();
        pages(&mut tx, i64::MIN, i64::MAX).await;

        run("INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
             SELECT gen_random_uuid(), 'A', 'k' || id % 100, '{}' FROM generate_series(1, 30000) AS id")
        .await;
        let mut snapshot = database.connect().await.begin_snapshot().await.unwrap();
        let look = "SELECT MIN(id) FROM outbox_event";
        snapshot.script(look).await.unwrap();
        run("DELETE FROM outbox_event WHERE id < 29950").await;
        let all = pages(&mut tx, i64::MIN, i64::MAX).await;
        let few = pages(&mut tx, 29_000, 30_000).await;
        assert!(few * 5 < all, "{few} of {all} pages");
        tx.rollback().await;
        snapshot.rollback().await;
    }
}
