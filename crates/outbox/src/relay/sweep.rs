//! The short way: a range of events that all take effect in this database is claimed, applied and deleted in one transaction.
//! When one of them is not plain (it goes outside, or to several places; it was tried or put off before; it cannot be read; its
//! projection fails), nothing has happened, and the long way reads before it delivers.

use sea_orm::DatabaseTransaction;

use super::{
    Relay,
    low_water::Look,
    pass::{Halt, Pass, rollback},
    steps::{Step, reached},
    take::take,
    waves::{Lane, waves},
};
use crate::{Destination, Event, Projection, sql::begin_write};

/// A projection and what it was given.
type Chunk<'r> = (&'r dyn Projection, Vec<Event>);

impl<'a> Pass<'a> {
    /// Delivers the next ids from the look's first on, as many as a batch, and returns how many events that were: none when an
    /// earlier one has come since the look. Or nothing when one of them is not plain.
    pub(super) async fn sweep(&mut self, look: &Look) -> Result<Option<usize>, Halt> {
        let relay = self.relay;
        let tx = begin_write(&relay.db).await?;
        let chunks = match self.take_and_apply(&tx, look).await {
            Ok(Some(chunks)) if !chunks.is_empty() => chunks,
            Ok(taken) => {
                rollback(tx).await;
                return Ok(taken.map(|_| 0));
            }
            Err(halt) => {
                rollback(tx).await;
                return Err(halt);
            }
        };
        let events = chunks.iter().map(|(_, chunk)| chunk.len()).sum();
        self.commit(tx, events).await?;
        for (projection, chunk) in &chunks {
            self.count_delivered(chunk);
            projection.committed(chunk).await;
        }
        Ok(Some(events))
    }

    async fn take_and_apply(
        &self,
        tx: &DatabaseTransaction,
        look: &Look,
    ) -> Result<Option<Vec<Chunk<'a>>>, Halt> {
        let relay = self.relay;
        let Some(events) = take(tx, look, relay.batch_size).await? else {
            return Ok(None);
        };
        let Some(last) = events.last() else {
            return Ok(Some(Vec::new()));
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
        Ok(Some(chunks))
    }
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
