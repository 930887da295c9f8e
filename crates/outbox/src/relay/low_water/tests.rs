//! The mark and the patrol, by themselves and on a database.

use super::*;

fn found(ahead: Option<i64>, oldest_open: i64, next_to_open: i64) -> Found {
    Found {
        ahead,
        below: None,
        put_off: None,
        put_off_below: None,
        oldest_open,
        next_to_open,
        took: Duration::ZERO,
    }
}

#[test]
fn the_mark_waits_for_every_transaction_that_may_hold_a_smaller_id() {
    let mut state = State {
        claimed: 5000,
        ..State::default()
    };
    state.learn(&found(Some(5001), 70, 90));
    for oldest_open in 70..90 {
        state.learn(&found(Some(6000), oldest_open, 100));
        assert_eq!(state.mark, i64::MIN);
    }
    state.learn(&found(Some(6000), 90, 110));
    assert_eq!(state.mark, 5001);
}

#[test]
fn the_mark_never_passes_what_waits() {
    let mut state = State {
        claimed: 5000,
        ..State::default()
    };
    state.learn(&found(Some(4000), 70, 90));
    state.learn(&found(Some(4000), 90, 90));
    assert_eq!(state.mark, 4000);
}

#[test]
fn a_patrol_reaches_the_start_in_few_looks_and_begins_again() {
    let mut state = State {
        mark: 1_000_000_000,
        claimed: 1_000_000_000,
        ..State::default()
    };
    let mut end = state.from();
    let mut looks = 0;
    loop {
        let slice = state.slice();
        assert_eq!(slice.end, end);
        state.patrolled(&slice, Duration::ZERO);
        (end, looks) = (slice.start, looks + 1);
        if end == i64::MIN {
            break;
        }
    }
    assert!(looks <= 11, "{looks} looks");
    assert_eq!(state.slice().end, state.from());
}

#[test]
fn the_patrols_slices_keep_to_the_time_of_a_look() {
    let mut state = State::default();
    let widths = |state: &mut State, took| {
        state.patrolled(&(1..2), took);
        state.slice
    };
    assert_eq!(widths(&mut state, Duration::ZERO), 4 * MARGIN);
    assert_eq!(widths(&mut state, LOOK_TIME), 4 * MARGIN);
    assert_eq!(widths(&mut state, LOOK_TIME * 2), 2 * MARGIN);
    for _ in 0..3 {
        widths(&mut state, LOOK_TIME * 2);
    }
    assert_eq!(state.slice, MARGIN);
}

#[test]
fn a_row_below_the_mark_takes_it_back() {
    let mut state = State {
        mark: 9000,
        claimed: 9999,
        next_mark: Some((10_000, 50)),
        ..State::default()
    };
    state.learn(&Found {
        below: Some(17),
        ..found(Some(9500), 60, 60)
    });
    assert_eq!((state.mark, state.claimed, state.next_mark), (17, 17, None));
}

/// Pages of the table and its indexes that a look reads.
async fn pages(db: &Database, from: i64, slice: Range<i64>) -> u64 {
    let text = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}", LOOK.postgres);
    let values = vec![from.into(), slice.start.into(), slice.end.into()];
    let explain = sqlx::AssertSqlSafe(text);
    let plan: Option<serde_json::Value> = db.scalar(explain, values).await.unwrap();
    let plan = plan.unwrap();
    let blocks = |kind: &str| plan[0]["Plan"][kind].as_u64().unwrap();
    blocks("Shared Hit Blocks") + blocks("Shared Read Blocks")
}

#[tokio::test]
async fn behind_a_held_snapshot_a_look_reads_from_the_mark_and_not_what_was_delivered() {
    let database = testkit::Database::postgres().await;
    let db = database.connect().await;
    crate::schema::create_tables(&db).await.unwrap();
    let fill = "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
        SELECT gen_random_uuid(), 'A', 'k', '{}' FROM generate_series(1, 30000)";
    db.script(fill).await.unwrap();
    let holder = database.connect().await;
    let mut snapshot = holder.begin_snapshot().await.unwrap();
    snapshot
        .script("SELECT COUNT(*) FROM outbox_event")
        .await
        .unwrap();
    db.script("DELETE FROM outbox_event WHERE id < 30000")
        .await
        .unwrap();

    let low_water = LowWater::new();
    low_water.claimed(29_999);
    let marked = || low_water.with(|state| state.from()) == 30_000 - MARGIN;
    // Whoever writes on this server, be it to another database, holds the mark back until the end of that transaction.
    testkit::wait::until("the mark is set", Duration::from_secs(60), async || {
        let look = low_water.look(&db).await.unwrap().unwrap();
        assert_eq!((look.first, look.put_off), (30_000, false));
        marked()
    })
    .await;
    let from = low_water.with(|state| state.from());
    let all = pages(&db, i64::MIN, i64::MIN..i64::MIN).await;
    let few = pages(&db, from, from - MARGIN..from).await;
    assert!(few * 5 < all, "{few} of {all} pages");
    snapshot.rollback().await;
}
