//! Where the backlog begins. Deleted rows stay in PostgreSQL's indexes while an old snapshot is open anywhere, and a relay
//! that looks from the start reads all of them each time.
//!
//! The mark is no cursor: it moves to an id only when no transaction can be open any more that took a smaller one. Of all
//! transactions that had begun to write when an id was already delivered, the snapshot of a later look says when the last
//! has ended; what they committed is in that same snapshot. (In SQLite the order of the commits is the order of the ids.)
//!
//! Rows below the mark can only be made by hand, or be put off or replayed (which puts them off to now): those are found by
//! their own index, and a patrol looks for the rest, slice by slice downwards from the mark and round again.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ground::{Database, Dialects, Row, Statements, unexpected};

// `micros` is the time that the columns before it took, without the way to the server and back. The last column may read every event
// that was put off, which is no fault of the patrol's.
// LIMIT 1 in the order of their index, and an id that no other index finds (`id + 0`): no plan reads what was never put off.
const LOOK: Dialects = Dialects {
    postgres: "SELECT
            (SELECT MIN(id) FROM outbox_event WHERE status = 'PENDING' AND id >= $1) AS ahead,
            (SELECT MIN(id) FROM outbox_event WHERE status = 'PENDING' AND id >= $2 AND id < $3) AS below,
            (SELECT id FROM outbox_event
             WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at)
             ORDER BY aggregate_key, id LIMIT 1) AS put_off,
            pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_open,
            pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_to_open,
            (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000000)::bigint AS micros,
            (SELECT id FROM outbox_event
             WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at) AND id + 0 < $1
             ORDER BY aggregate_key, id LIMIT 1) AS put_off_below",
    sqlite: "SELECT
            (SELECT MIN(id) FROM outbox_event INDEXED BY outbox_event_pending
             WHERE status = 'PENDING' AND id >= $1) AS ahead,
            (SELECT MIN(id) FROM outbox_event INDEXED BY outbox_event_pending
             WHERE status = 'PENDING' AND id >= $2 AND id < $3) AS below,
            (SELECT id FROM outbox_event INDEXED BY outbox_event_put_off
             WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at)
             ORDER BY aggregate_key, id LIMIT 1) AS put_off,
            (SELECT id FROM outbox_event INDEXED BY outbox_event_put_off
             WHERE status = 'PENDING' AND (attempts > 0 OR postponed > 0 OR next_attempt_at > created_at) AND id < $1
             ORDER BY aggregate_key, id LIMIT 1) AS put_off_below,
            0 AS oldest_open, 0 AS next_to_open, 0 AS micros",
};

/// Every look begins so many ids below the mark: PostgreSQL gives an insert its id a moment before it gives the transaction
/// its number.
const MARGIN: i64 = 1000;

/// What a look may take. The patrol's slices shrink and grow to keep to it.
const LOOK_TIME: Duration = Duration::from_millis(1);

/// What a look found.
#[derive(Debug)]
pub(super) struct Look {
    /// No event that is to be delivered has a smaller id, as far as this look saw.
    pub(super) first: i64,
    /// Nor will one that commits later: whoever reads without this look's snapshot has to read from here.
    pub(super) from: i64,
    /// Whether any event was ever put off.
    pub(super) put_off: bool,
}

/// What a relay knows of where its backlog begins.
#[derive(Debug)]
pub(super) struct LowWater(Mutex<State>);

#[derive(Debug)]
struct State {
    mark: i64,
    /// The greatest id that was claimed.
    claimed: i64,
    /// Where the mark goes when every transaction before this one has ended.
    next_mark: Option<(i64, i64)>,
    /// What the patrol has not looked at in this round ends here.
    patrolled: i64,
    slice: i64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            mark: i64::MIN,
            claimed: i64::MIN,
            next_mark: None,
            patrolled: i64::MAX,
            slice: MARGIN,
        }
    }
}

struct Found {
    ahead: Option<i64>,
    below: Option<i64>,
    put_off: Option<i64>,
    put_off_below: Option<i64>,
    oldest_open: i64,
    next_to_open: i64,
    took: Duration,
}

impl Found {
    fn first(&self) -> Option<i64> {
        // The first of one key: others may be before it.
        let put_off = self.put_off_below.map(|_| i64::MIN);
        [self.ahead, self.below, put_off]
            .into_iter()
            .flatten()
            .min()
    }
}

impl LowWater {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Finds the first event that is to be delivered, if there is one.
    pub(super) async fn look(&self, db: &Database) -> Result<Option<Look>, sqlx::Error> {
        let (from, slice) = self.with(|state| (state.from(), state.slice()));
        let values = vec![from.into(), slice.start.into(), slice.end.into()];
        let row = db.raw_row(LOOK, values).await?;
        let found = row.as_ref().map_or_else(none, read)?;
        self.with(|state| {
            state.patrolled(&slice, found.took);
            state.learn(&found);
        });
        Ok(found.first().map(|first| Look {
            first,
            from: first.min(from),
            put_off: found.put_off.is_some(),
        }))
    }

    /// An event was claimed: all smaller ids have been given to some transaction.
    pub(super) fn claimed(&self, id: i64) {
        self.with(|state| state.claimed = state.claimed.max(id));
    }

    /// Nothing is known any more: the next look begins at the start.
    pub(super) fn forget(&self) {
        self.with(|state| *state = State::default());
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn from(&self) -> i64 {
        self.mark.saturating_sub(MARGIN)
    }

    /// The patrol's next slice; the last of a round has no lower end.
    fn slice(&self) -> Range<i64> {
        let end = self.patrolled.min(self.from());
        let start = end.saturating_sub(self.slice);
        (if start > 0 { start } else { i64::MIN })..end
    }

    fn patrolled(&mut self, slice: &Range<i64>, took: Duration) {
        if slice.start == i64::MIN {
            (self.patrolled, self.slice) = (i64::MAX, MARGIN);
            return;
        }
        self.patrolled = slice.start;
        self.slice = if took > LOOK_TIME {
            (self.slice / 2).max(MARGIN)
        } else if took > LOOK_TIME / 2 {
            self.slice
        } else {
            self.slice.saturating_mul(4)
        };
    }

    fn learn(&mut self, found: &Found) {
        if let Some(below) = found.below {
            // Made by hand, or another database than it was: what was known need not hold.
            *self = Self {
                mark: below,
                claimed: below,
                ..Self::default()
            };
            return;
        }
        if let Some((mark, opened)) = self.next_mark
            && found.oldest_open >= opened
        {
            let mark = found.ahead.map_or(mark, |ahead| ahead.min(mark));
            self.mark = self.mark.max(mark);
            self.next_mark = None;
        }
        if self.next_mark.is_none() && self.claimed >= self.mark {
            self.next_mark = Some((self.claimed.saturating_add(1), found.next_to_open));
        }
    }
}

fn none() -> Result<Found, sqlx::Error> {
    Err(unexpected("a look at the outbox gave no row"))
}

fn read(row: &Row) -> Result<Found, sqlx::Error> {
    let micros: i64 = row.get("micros")?;
    Ok(Found {
        ahead: row.get("ahead")?,
        below: row.get("below")?,
        put_off: row.get("put_off")?,
        put_off_below: row.get("put_off_below")?,
        oldest_open: row.get("oldest_open")?,
        next_to_open: row.get("next_to_open")?,
        took: Duration::from_micros(micros.try_into().unwrap_or_default()),
    })
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test has nobody to return an error to"
)]
mod tests {
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
}
