//! Applies events to a projection, in the transaction that deletes them.

use ground::{Connection, Fault};

use super::{
    batch::{Batch, Verdict},
    finish,
    key_order::halves,
    run::{Broken, Halt, Run},
    steps::{Step, reached},
};
use crate::{ApplyError, Event, Projection, RelayError};

/// Why a projection did not take events.
pub(super) struct Refusal {
    /// The event at fault, if the projection knows.
    event: Option<i64>,
    reason: String,
}

/// Applies events all at once if it can. Otherwise it applies ever smaller parts, each in its own transaction, until the
/// events at fault stand alone.
pub(super) async fn apply(
    run: &mut Run<'_>,
    batch: &mut Batch<'_>,
    projection: &dyn Projection,
    events: Vec<Event>,
) -> Result<(), Halt> {
    let name = projection.name();
    let mut chunks = vec![events];
    while let Some(mut chunk) = chunks.pop() {
        chunk.retain(|event| !batch.holds_back(event));
        if chunk.is_empty() {
            continue;
        }
        if run.must_stop() {
            return Err(Halt::Stop);
        }
        let Err(refusal) = apply_chunk(run, batch, projection, &chunk).await? else {
            projection.committed(&chunk).await;
            continue;
        };
        let at_fault = match chunk.as_slice() {
            [_] => Some(0),
            events => events
                .iter()
                .position(|event| Some(event.id) == refusal.event),
        };
        if let Some(place) = at_fault {
            let event = chunk.remove(place);
            batch.fail(&event, name, Verdict::Failed, &refusal.reason);
            chunks.push(chunk);
        } else {
            let (first, second) = halves(chunk);
            chunks.push(second);
            chunks.push(first);
        }
    }
    Ok(())
}

/// Deletes a chunk and applies it in one transaction: neither happens without the other.
async fn apply_chunk(
    run: &mut Run<'_>,
    batch: &mut Batch<'_>,
    projection: &dyn Projection,
    chunk: &[Event],
) -> Result<Result<(), Refusal>, Halt> {
    let name = Some(projection.name());
    let (complete, incomplete) = batch.split_complete(name, chunk);
    let mut tx = run.relay.db.begin().await?;
    tx.shield().await?;
    let applied = async {
        let still_there = finish::delete_or_note(&mut tx, &complete, &incomplete).await?;
        if still_there != chunk.len() as u64 {
            return Err(Halt::Stale);
        }
        apply_in(run, projection, &mut tx, chunk).await
    }
    .await;
    match applied {
        Ok(Ok(())) => reached(Step::Applied, chunk.len()),
        Ok(Err(refusal)) => {
            tx.rollback().await;
            return Ok(Err(refusal));
        }
        Err(halt) => {
            tx.rollback().await;
            return Err(halt);
        }
    }
    match run.commit(tx, chunk.len()).await {
        Err(Halt::Refused(reason)) => {
            return Ok(Err(Refusal {
                event: None,
                reason,
            }));
        }
        committed => committed?,
    }
    run.count_delivered(complete.iter().copied());
    batch.confirm(name, chunk);
    Ok(Ok(()))
}

/// Applies events in a transaction of the caller. After a refusal it must be rolled back.
pub(super) async fn apply_in(
    run: &Run<'_>,
    projection: &dyn Projection,
    tx: &mut Connection<'_>,
    events: &[Event],
) -> Result<Result<(), Refusal>, Halt> {
    let conflict = |reason: String| {
        let reason = format!("{}: {reason}", projection.name());
        Err(Halt::Error(RelayError::Conflict(reason)))
    };
    let refused = |event, reason| Ok(Err(Refusal { event, reason }));
    match run.attempt(projection.apply(tx, events)).await? {
        Ok(Ok(())) => Ok(Ok(())),
        Ok(Err(ApplyError::Conflict(reason))) => conflict(reason),
        Ok(Err(ApplyError::Database(error))) => match Fault::of(&error) {
            Fault::Other => refused(None, error.to_string()),
            _ => Err(error.into()),
        },
        Ok(Err(ApplyError::Event { id, reason })) => refused(Some(id), reason),
        Ok(Err(ApplyError::Failed(reason))) => refused(None, reason),
        Err(Broken::Panicked(reason)) => refused(None, reason),
        // In a database, what takes so long waits for a lock: no event's fault.
        Err(Broken::TimedOut(reason)) => conflict(reason),
    }
}
