use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr};

use super::{
    pass::rollback,
    row::{self, Claimed},
};
use crate::sql::{Sql, begin_read, text_list, time};

// An event waits when it was ever put off (after a failure, or by its publisher) and its time has not come; it then
// holds back the later events of its key. One that was never put off is due whatever the publisher's clock said.
//
// The backlog is read in windows of ids: without stale or missing statistics coming into
// it, no plan of the database can read more than the window.
const START: Sql = Sql {
    postgres: "SELECT MIN(id) AS start FROM outbox_event WHERE status = 'PENDING' AND id > $1",
    sqlite: "SELECT MIN(id) AS start FROM outbox_event INDEXED BY outbox_event_pending
        WHERE status = 'PENDING' AND id > $1",
};

const DUE: Sql = Sql {
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
const PUT_OFF_BELOW: Sql = Sql {
    postgres: "SELECT id FROM outbox_event
        WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at) AND id + 0 < $1
        ORDER BY aggregate_key, id LIMIT 1",
    sqlite: "SELECT id FROM outbox_event INDEXED BY outbox_event_put_off
        WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at) AND id < $1
        ORDER BY aggregate_key, id LIMIT 1",
};

// Bounded on both sides: without statistics, PostgreSQL may choose the index of all pending events.
const WAITING: Sql = Sql {
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

/// The first `limit` due events that no earlier event of their key holds back, in id order. Below `from` is none but those put off.
///
/// Read from one snapshot. With one for each window, an event could commit in a window that was read already, and the next of its
/// key, which waited for that commit, be found in a later one and go before it.
pub(super) async fn claim(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    from: i64,
    limit: u64,
) -> Result<Vec<Claimed>, DbErr> {
    let snapshot = begin_read(db).await?;
    let claimed = claim_in(&snapshot, now, from, limit).await;
    // Ended here, so that the one connection of SQLite is free for the next statement.
    rollback(snapshot).await;
    claimed
}

async fn claim_in(
    db: &DatabaseTransaction,
    now: DateTime<Utc>,
    from: i64,
    limit: u64,
) -> Result<Vec<Claimed>, DbErr> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let below = PUT_OFF_BELOW.with(db, [from.into()]);
    let from = match db.query_one_raw(below).await? {
        Some(_) => i64::MIN,
        None => from,
    };
    let mut claimed = Vec::new();
    let mut held: HashMap<String, i64> = HashMap::new();
    let mut next = start_after(db, from.saturating_sub(1)).await?;
    let mut window = i64::try_from(limit).unwrap_or(i64::MAX).saturating_mul(4);
    while let Some(start) = next {
        let end = start.saturating_add(window);
        let wanted = limit - claimed.len();
        // What is held back from here on need not be read again.
        let skipped = held
            .iter()
            .filter(|(_, first)| **first < start)
            .map(|(key, _)| key.as_str());
        let page = due(db, now, start..end, skipped, wanted).await?;
        let before = match page.last() {
            Some(last) if page.len() == wanted => last.event.id,
            _ => end - 1,
        };
        held.extend(waiting(db, now, from, &page).await?);
        claimed.extend(page.into_iter().filter(|claimed| {
            held.get(&claimed.event.aggregate_key)
                .is_none_or(|first| claimed.event.id < *first)
        }));
        if claimed.len() >= limit {
            break;
        }
        if end == i64::MAX {
            break;
        }
        window = window.saturating_mul(2);
        next = start_after(db, before).await?;
    }
    Ok(claimed)
}

async fn start_after(db: &DatabaseTransaction, before: i64) -> Result<Option<i64>, DbErr> {
    let row = db.query_one_raw(START.with(db, [before.into()])).await?;
    row.map_or(Ok(None), |row| row.try_get("", "start"))
}

async fn due(
    db: &DatabaseTransaction,
    now: DateTime<Utc>,
    ids: Range<i64>,
    skipped: impl Iterator<Item = &str>,
    limit: usize,
) -> Result<Vec<Claimed>, DbErr> {
    let values = [
        time(db, now),
        ids.start.into(),
        ids.end.into(),
        text_list(db, skipped),
        i64::try_from(limit).unwrap_or(i64::MAX).into(),
    ];
    let rows = db.query_all_raw(DUE.with(db, values)).await?;
    rows.iter().map(|row| row::claimed(row, now)).collect()
}

/// The first waiting event of each key of a page, where one stands before the page's end.
async fn waiting(
    db: &DatabaseTransaction,
    now: DateTime<Utc>,
    from: i64,
    page: &[Claimed],
) -> Result<Vec<(String, i64)>, DbErr> {
    let Some(last) = page.last() else {
        return Ok(Vec::new());
    };
    let keys: HashSet<&str> = page
        .iter()
        .map(|claimed| claimed.event.aggregate_key.as_str())
        .collect();
    let values = [
        time(db, now),
        text_list(db, keys),
        from.into(),
        last.event.id.into(),
    ];
    let rows = db.query_all_raw(WAITING.with(db, values)).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "aggregate_key")?, row.try_get("", "first")?)))
        .collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test has nobody to return an error to"
)]
mod tests {
    use sea_orm::{Statement, TransactionTrait};

    use super::*;

    #[tokio::test]
    async fn what_commits_while_a_batch_is_read_is_not_in_any_of_its_windows() {
        let database = testkit::Database::postgres().await;
        let db = database.connect().await;
        crate::schema::lay(&db).await.unwrap();
        let publish = "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
            VALUES (gen_random_uuid(), 'A', 'k', '{}')";
        db.execute_unprepared(publish).await.unwrap();
        let snapshot = begin_read(&db).await.unwrap();
        for _ in 0..2 {
            let batch = claim_in(&snapshot, Utc::now(), i64::MIN, 10).await.unwrap();
            assert_eq!(batch.len(), 1);
            db.execute_unprepared(publish).await.unwrap();
        }
        snapshot.rollback().await.unwrap();
        let batch = claim(&db, Utc::now(), i64::MIN, 10).await.unwrap();
        assert_eq!(batch.len(), 3);
    }
    testkit::on_each_database! {
        async fn an_event_replayed_since_the_look_comes_before_what_the_look_saw(db: testkit::Database) {
            let db = db.connect().await;
            crate::schema::lay(&db).await.unwrap();
            for (id, attempts) in [(7, 1), (2000, 0)] {
                let publish = format!(
                    "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload, attempts)
                     VALUES ({id}, '{}', 'A', 'k', '{{}}', {attempts})",
                    uuid::Uuid::new_v4()
                );
                db.execute_unprepared(&publish).await.unwrap();
            }
            let batch = claim(&db, Utc::now(), 1500, 10).await.unwrap();
            let ids: Vec<i64> = batch.iter().map(|claimed| claimed.event.id).collect();
            assert_eq!(ids, [7, 2000]);
        }
    }

    /// Pages that are read to find the waiting events of 100 keys, by the plan that is kept for any of them.
    async fn pages(tx: &DatabaseTransaction, from: i64, last: i64) -> u64 {
        let keys: Vec<String> = (0..100).map(|key| format!("k{key}")).collect();
        let keys = keys.join(" ");
        let text = format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE waiting
             (now(), string_to_array('{keys}', ' '), {from}, {last})"
        );
        let explain = Statement::from_string(tx.get_database_backend(), text);
        let row = tx.query_one_raw(explain).await.unwrap().unwrap();
        let plan: serde_json::Value = row.try_get_by_index(0).unwrap();
        let blocks = |kind: &str| plan[0]["Plan"][kind].as_u64().unwrap();
        blocks("Shared Hit Blocks") + blocks("Shared Read Blocks")
    }

    // PostgreSQL keeps a plan from when the table was small, and may have chosen the index of all pending events.
    #[tokio::test]
    async fn what_waits_is_found_without_reading_what_was_delivered() {
        let database = testkit::Database::postgres().await;
        let db = database.connect().await;
        crate::schema::lay(&db).await.unwrap();
        let run = async |statement: &str| db.execute_unprepared(statement).await.unwrap();
        // It would have a new plan made.
        run("ALTER TABLE outbox_event SET (autovacuum_enabled = false)").await;
        let other = database.connect().await;
        let tx = other.begin().await.unwrap();
        let prepare = format!(
            "SET LOCAL plan_cache_mode = force_generic_plan;
             PREPARE waiting (timestamptz, text[], bigint, bigint) AS {}",
            WAITING.postgres
        );
        tx.execute_unprepared(&prepare).await.unwrap();
        pages(&tx, i64::MIN, i64::MAX).await;

        run("INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
             SELECT gen_random_uuid(), 'A', 'k' || id % 100, '{}' FROM generate_series(1, 30000) AS id")
        .await;
        let snapshot = begin_read(&database.connect().await).await.unwrap();
        let look = "SELECT MIN(id) FROM outbox_event";
        snapshot.execute_unprepared(look).await.unwrap();
        run("DELETE FROM outbox_event WHERE id < 29950").await;
        let all = pages(&tx, i64::MIN, i64::MAX).await;
        let few = pages(&tx, 29_000, 30_000).await;
        assert!(few * 5 < all, "{few} of {all} pages");
        tx.rollback().await.unwrap();
        snapshot.rollback().await.unwrap();
    }
}
