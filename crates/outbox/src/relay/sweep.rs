//! The short way: a range of events that all take effect in this database is claimed, applied and deleted in one transaction.
//! When one of them is not plain (it goes outside, or to several places; it was tried or put off before; it cannot be read; its
//! projection fails), nothing has happened, and the long way reads before it delivers.

use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use super::{
    Relay,
    pass::{Halt, Pass, rollback},
    row,
    steps::{Step, reached},
    waves::{Lane, waves},
};
use crate::{
    Destination, Event, Projection,
    sql::{Sql, begin_write},
};

// Where no event was ever put off, nothing in a range of ids has to wait.
const TAKE: Sql = Sql {
    postgres: "DELETE FROM outbox_event WHERE status = 'PENDING' AND id >= $1 AND id < $2
        RETURNING id, event_id::text, event_type, aggregate_key, payload::text, traceparent, created_at,
            delivered_to = '[]' AND attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at",
    sqlite: "DELETE FROM outbox_event WHERE status = 'PENDING' AND id >= $1 AND id < $2
        RETURNING id, event_id, event_type, aggregate_key, payload, traceparent, created_at,
            delivered_to = '[]' AND attempts = 0 AND postponed = 0 AND next_attempt_at <= created_at",
};

/// The place of the last column: whether the event was never tried, nor put off.
const PLAIN: usize = 7;

/// A projection and what it was given.
type Chunk<'r> = (&'r dyn Projection, Vec<Event>);

impl<'a> Pass<'a> {
    /// Delivers the next ids from `first` on, as many as a batch, and returns how many events that were. None when one of them
    /// is not plain.
    pub(super) async fn sweep(&mut self, first: i64) -> Result<usize, Halt> {
        let relay = self.relay;
        let tx = begin_write(&relay.db).await?;
        let (events, chunks) = match self.take_and_apply(&tx, first).await {
            Ok(Some(taken)) => taken,
            Ok(None) => {
                rollback(tx).await;
                return Ok(0);
            }
            Err(halt) => {
                rollback(tx).await;
                return Err(halt);
            }
        };
        self.commit(tx, events).await?;
        for (projection, chunk) in &chunks {
            self.count_delivered(chunk);
            projection.committed(chunk).await;
        }
        Ok(events)
    }

    async fn take_and_apply(
        &self,
        tx: &DatabaseTransaction,
        first: i64,
    ) -> Result<Option<(usize, Vec<Chunk<'a>>)>, Halt> {
        let relay = self.relay;
        let Some(events) = take(tx, relay, first).await? else {
            return Ok(None);
        };
        let Some(last) = events.last() else {
            return Ok(None);
        };
        relay.low_water.claimed(last.id);
        let count = events.len();
        reached(Step::Claimed, count);
        reached(Step::Deleted, count);
        let mut chunks = Vec::new();
        let lane = |event: &Event| relay.lane(event);
        for (lane, chunk) in waves(events, |event| event, lane).into_iter().flatten() {
            let Some(projection) = relay.only_projection(lane) else {
                return Ok(None);
            };
            if self.offer(projection, tx, &chunk).await?.is_err() {
                return Ok(None);
            }
            reached(Step::Applied, chunk.len());
            chunks.push((projection, chunk));
        }
        Ok(Some((count, chunks)))
    }
}

/// The events in the order of their ids, unless one of them is not plain.
async fn take(
    tx: &DatabaseTransaction,
    relay: &Relay,
    first: i64,
) -> Result<Option<Vec<Event>>, Halt> {
    let width = i64::try_from(relay.batch_size).unwrap_or(i64::MAX);
    let range: [Value; 2] = [first.into(), first.saturating_add(width).into()];
    let rows = tx.query_all_raw(TAKE.with(tx, range)).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        match row::event(row) {
            Ok(event) if row.try_get_by_index(PLAIN)? => events.push(event),
            _ => return Ok(None),
        }
    }
    events.sort_unstable_by_key(|event| event.id);
    Ok(Some(events))
}

impl Relay {
    /// The projection that a lane leads to, if that is all.
    fn only_projection(&self, lane: Lane) -> Option<&dyn Projection> {
        match lane {
            Lane::Route(place) => sole_projection(&self.routes[place]),
            Lane::Unroutable => None,
        }
    }
}

/// The projection of a route that has no other destination.
pub(super) fn sole_projection(route: &[Destination]) -> Option<&dyn Projection> {
    match route {
        [Destination::Projection(projection)] => Some(projection.as_ref()),
        _ => None,
    }
}
