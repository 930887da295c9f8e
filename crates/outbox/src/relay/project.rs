//! Applying a batch to a projection.

use ground::{Connection, Fault};

use super::{
    delivery::{Delivery, Verdict},
    pass::{Broken, Halt, Pass},
    settle,
    steps::{Step, reached},
    waves::halves,
};
use crate::{ApplyError, Event, Projection, RelayError};

/// Why a chunk was not applied.
pub(super) struct Refusal {
    /// The event at fault, if the projection knows.
    event: Option<i64>,
    reason: String,
}

impl Pass<'_> {
    /// Applies a batch whole if it can be; otherwise in ever smaller parts, each in its own transaction, until the events
    /// at fault stand alone.
    pub(super) async fn project(
        &mut self,
        delivery: &mut Delivery<'_>,
        projection: &dyn Projection,
        todo: Vec<Event>,
    ) -> Result<(), Halt> {
        let name = projection.name();
        let mut chunks = vec![todo];
        while let Some(mut chunk) = chunks.pop() {
            chunk.retain(|event| !self.held_back(event));
            if chunk.is_empty() {
                continue;
            }
            if self.must_stop() {
                return Err(Halt::Stop);
            }
            let Err(refusal) = self.apply(delivery, projection, &chunk).await? else {
                projection.committed(&chunk).await;
                continue;
            };
            let known = match chunk.as_slice() {
                [_] => Some(0),
                events => events
                    .iter()
                    .position(|event| Some(event.id) == refusal.event),
            };
            if let Some(place) = known {
                let culprit = chunk.remove(place);
                self.fail(delivery, &culprit, name, Verdict::Failed, &refusal.reason);
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
    async fn apply(
        &mut self,
        delivery: &mut Delivery<'_>,
        projection: &dyn Projection,
        chunk: &[Event],
    ) -> Result<Result<(), Refusal>, Halt> {
        let name = Some(projection.name());
        let (finished, unfinished) = delivery.after(name, chunk);
        let ids: Vec<i64> = finished.iter().map(|event| event.id).collect();
        let mut tx = self.relay.db.begin().await?;
        tx.shield().await?;
        let applied = async {
            let settled = settle::delete(&mut tx, &ids).await?
                + settle::progress(&mut tx, &unfinished).await?;
            if settled != chunk.len() as u64 {
                return Err(Halt::Stale);
            }
            self.offer(projection, &mut tx, chunk).await
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
        match self.commit(tx, chunk.len()).await {
            Err(Halt::Refused(reason)) => {
                return Ok(Err(Refusal {
                    event: None,
                    reason,
                }));
            }
            committed => committed?,
        }
        self.count_delivered(finished.iter().copied());
        delivery.reach(name, chunk);
        Ok(Ok(()))
    }

    pub(super) async fn offer(
        &self,
        projection: &dyn Projection,
        tx: &mut Connection<'_>,
        chunk: &[Event],
    ) -> Result<Result<(), Refusal>, Halt> {
        let conflict = |reason: String| {
            let reason = format!("{}: {reason}", projection.name());
            Err(Halt::Error(RelayError::Conflict(reason)))
        };
        let refused = |event, reason| Ok(Err(Refusal { event, reason }));
        match self.attempt(projection.apply(tx, chunk)).await? {
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
}
