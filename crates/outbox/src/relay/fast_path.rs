//! The fast path: claims, applies and deletes a range of ids in one transaction.
//!
//! Every event of the range must be plain. A plain event can be read, goes to one projection alone, was neither tried nor
//! put off before, and does not fail. Otherwise the range is rolled back, and the run claims batches instead.

use std::{ops::Range, time::Duration};

use ground::{Connection, Database, Transaction};
use tokio::{task::JoinHandle, time::Instant};

use super::{
    apply::apply_in,
    claim_range::claim_range,
    key_order::batches,
    low_water::Look,
    run::{Halt, Run},
    steps::{Step, reached},
};
use crate::{Event, Projection};

/// A projection and what is applied to it.
type Chunk<'r> = (&'r dyn Projection, Vec<Event>);

/// Ranges that are claimed after one look. Each checks again for events that have come below it since, and so reads what
/// those before it have deleted.
const RANGES_OF_A_LOOK: u32 = 8;

/// How the fast path ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Look again, and go on: there was much, or an earlier event has come, or the ids have a gap.
    MayBeMore,
    /// The look saw few events, and they are delivered.
    Few,
    /// An event that is not plain stands at the front.
    NotPlain,
}

/// The transaction of the next range, begun while the one before is at work. It holds nothing but its connection. One that
/// is not needed any more rolls back by itself.
struct Ahead {
    begun: JoinHandle<Result<Transaction, sqlx::Error>>,
    at: Instant,
}

/// A server may end a transaction that has waited for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

impl Ahead {
    fn begin(db: &Database) -> Self {
        let db = db.clone();
        Self {
            begun: tokio::spawn(async move { db.begin().await }),
            at: Instant::now(),
        }
    }

    /// This transaction, or another one if it could not begin or has waited for long. In a small pool it may have waited in
    /// vain for the connection of the range before.
    async fn transaction(self, db: &Database) -> Result<Transaction, sqlx::Error> {
        match self.begun.await {
            Ok(Ok(tx)) if self.at.elapsed() < LONGEST_WAIT => return Ok(tx),
            Ok(Ok(tx)) => tx.rollback().await,
            _ => {}
        }
        db.begin().await
    }
}

/// Delivers range after range of as many ids as a batch, from the look's first on, while they are full.
pub(super) async fn deliver(run: &mut Run<'_>, look: &Look) -> Result<Ended, Halt> {
    let relay = run.relay;
    // SQLite has one transaction that writes.
    let several = relay.db.dialect().is_postgres();
    let width = i64::try_from(relay.batch_size).unwrap_or(i64::MAX);
    let mut start = look.first;
    let mut ahead: Option<Ahead> = None;
    for range in 1..=RANGES_OF_A_LOOK {
        let tx = match ahead.take() {
            Some(begun) => begun.transaction(&relay.db).await?,
            None => relay.db.begin().await?,
        };
        // Most looks find less than one range.
        if several && (2..RANGES_OF_A_LOOK).contains(&range) {
            ahead = Some(Ahead::begin(&relay.db));
        }
        let end = start.saturating_add(width);
        let Some(delivered) = deliver_range(run, tx, start..end, look.from).await? else {
            return Ok(Ended::NotPlain);
        };
        // What comes in pieces is read first, or every piece would have its own transaction.
        if (delivered as u64) < relay.batch_size.div_ceil(2) {
            let few = range == 1 && delivered > 0;
            return Ok(if few { Ended::Few } else { Ended::MayBeMore });
        }
        if run.must_stop() {
            break;
        }
        start = end;
    }
    Ok(Ended::MayBeMore)
}

/// Delivers a range, and returns how many events it had. It had none when an earlier event has come since the look, or any
/// was put off. Returns `None` when one is not plain.
async fn deliver_range(
    run: &mut Run<'_>,
    mut tx: Transaction,
    ids: Range<i64>,
    from: i64,
) -> Result<Option<usize>, Halt> {
    tx.shield().await?;
    let chunks = match claim_and_apply(run, &mut tx, ids, from).await {
        Ok(Some(chunks)) if !chunks.is_empty() => chunks,
        Ok(claimed) => {
            tx.rollback().await;
            return Ok(claimed.map(|_| 0));
        }
        Err(halt) => {
            tx.rollback().await;
            return Err(halt);
        }
    };
    let events = chunks.iter().map(|(_, chunk)| chunk.len()).sum();
    match run.commit(tx, events).await {
        // A batch finds the event at fault.
        Err(Halt::Refused(_)) => return Ok(None),
        committed => committed?,
    }
    for (projection, chunk) in &chunks {
        run.count_delivered(chunk);
        projection.committed(chunk).await;
    }
    Ok(Some(events))
}

async fn claim_and_apply<'a>(
    run: &Run<'a>,
    tx: &mut Connection<'_>,
    ids: Range<i64>,
    from: i64,
) -> Result<Option<Vec<Chunk<'a>>>, Halt> {
    let relay = run.relay;
    let Some(events) = claim_range(tx, ids, from).await? else {
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
    for (route, chunk) in batches(events, |event| event, |event| relay.routes.of(event)) {
        let Some(projection) = route.and_then(|route| relay.routes.only_projection(route)) else {
            return Ok(None);
        };
        if apply_in(run, projection, tx, &chunk).await?.is_err() {
            return Ok(None);
        }
        reached(Step::Applied, chunk.len());
        chunks.push((projection, chunk));
    }
    Ok(Some(chunks))
}
