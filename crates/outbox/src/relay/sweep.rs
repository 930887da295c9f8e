//! The short way: a range of events that all take effect in this database is claimed, applied and deleted in one transaction.
//! When one of them is not plain (it goes outside, or to several places; it was tried or put off before; it cannot be read; its
//! projection fails), nothing has happened to its range, and the long way reads before it delivers.

use std::{ops::Range, time::Duration};

use ground::{Connection, Database, Transaction};
use tokio::{task::JoinHandle, time::Instant};

use super::{
    Relay,
    low_water::Look,
    pass::{Halt, Pass},
    steps::{Step, reached},
    take::take,
    waves::{Lane, waves},
};
use crate::{Destination, Event, Projection};

/// A projection and what it was given.
type Chunk<'r> = (&'r dyn Projection, Vec<Event>);

/// Ranges that are taken on the strength of one look. Each looks again for what has come below it since the first, and so
/// reads what those before it have deleted.
const RANGES_OF_A_LOOK: u32 = 8;

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swept {
    /// Look, and go on: there was much, or something has come in between, or the ids have a gap.
    On,
    /// What the look saw was little.
    Little,
    /// An event that is not plain stands at the front.
    NotPlain,
}

/// The transaction of the next range, begun while the one before is at work: it waits for nothing and holds nothing but its
/// connection. One that is not needed any more rolls back by itself.
struct Ahead {
    begun: JoinHandle<Result<Transaction, sqlx::Error>>,
    at: Instant,
}

/// A server may end a transaction that has waited for longer.
const WAITS: Duration = Duration::from_secs(2);

impl Ahead {
    fn begin(db: &Database) -> Self {
        let db = db.clone();
        Self {
            begun: tokio::spawn(async move { db.begin().await }),
            at: Instant::now(),
        }
    }

    /// Or another one, when this could not be begun (in a small pool it may have waited in vain for the connection of the range
    /// before), or has waited for long.
    async fn transaction(self, db: &Database) -> Result<Transaction, sqlx::Error> {
        match self.begun.await {
            Ok(Ok(tx)) if self.at.elapsed() < WAITS => return Ok(tx),
            Ok(Ok(tx)) => tx.rollback().await,
            _ => {}
        }
        db.begin().await
    }
}

impl<'a> Pass<'a> {
    /// Delivers range after range of as many ids as a batch, from the look's first on, while they are full.
    pub(super) async fn sweep(&mut self, look: &Look) -> Result<Swept, Halt> {
        let db = &self.relay.db;
        // SQLite has one transaction that writes.
        let several = db.dialect().is_postgres();
        let width = i64::try_from(self.relay.batch_size).unwrap_or(i64::MAX);
        let mut start = look.first;
        let mut ahead: Option<Ahead> = None;
        for range in 1..=RANGES_OF_A_LOOK {
            let tx = match ahead.take() {
                Some(begun) => begun.transaction(db).await?,
                None => db.begin().await?,
            };
            // Most looks find less than one range.
            if several && (2..RANGES_OF_A_LOOK).contains(&range) {
                ahead = Some(Ahead::begin(db));
            }
            let end = start.saturating_add(width);
            let Some(swept) = self.sweep_range(tx, start..end, look.from).await? else {
                return Ok(Swept::NotPlain);
            };
            // What comes in pieces is read first, or every piece would have its own transaction.
            if (swept as u64) < self.relay.batch_size.div_ceil(2) {
                let little = range == 1 && swept > 0;
                return Ok(if little { Swept::Little } else { Swept::On });
            }
            if self.must_stop() {
                break;
            }
            start = end;
        }
        Ok(Swept::On)
    }

    /// Returns how many events there were: none when an earlier one has come since the look, or any was put off. Or nothing when one is
    /// not plain.
    async fn sweep_range(
        &mut self,
        mut tx: Transaction,
        ids: Range<i64>,
        from: i64,
    ) -> Result<Option<usize>, Halt> {
        tx.shield().await?;
        let chunks = match self.take_and_apply(&mut tx, ids, from).await {
            Ok(Some(chunks)) if !chunks.is_empty() => chunks,
            Ok(taken) => {
                tx.rollback().await;
                return Ok(taken.map(|_| 0));
            }
            Err(halt) => {
                tx.rollback().await;
                return Err(halt);
            }
        };
        let events = chunks.iter().map(|(_, chunk)| chunk.len()).sum();
        match self.commit(tx, events).await {
            // The long way finds the event at fault.
            Err(Halt::Refused(_)) => return Ok(None),
            committed => committed?,
        }
        for (projection, chunk) in &chunks {
            self.count_delivered(chunk);
            projection.committed(chunk).await;
        }
        Ok(Some(events))
    }

    async fn take_and_apply(
        &self,
        tx: &mut Connection<'_>,
        ids: Range<i64>,
        from: i64,
    ) -> Result<Option<Vec<Chunk<'a>>>, Halt> {
        let relay = self.relay;
        let Some(events) = take(tx, ids, from).await? else {
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
