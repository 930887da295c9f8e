//! Looks where the backlog begins.
//!
//! Deleted rows stay in PostgreSQL's indexes while an old snapshot is open anywhere. A relay that looks from the start
//! reads all of them each time. So a mark remembers where the backlog began.
//!
//! The mark is no cursor: it moves to an id only when no transaction can be open any more that took a smaller one. The
//! snapshot of a later look says when the last transaction has ended that was writing while the id was delivered. What
//! they committed is in that same snapshot. (In SQLite the order of the commits is the order of the ids.)
//!
//! Rows below the mark can only be made by hand, put off, or replayed (which puts them off to now). Those put off are found
//! by their own index. A patrol looks for the rest, slice by slice downwards from the mark, and begins again.

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
mod tests;
