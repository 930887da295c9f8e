//! The relay: takes committed events to their destinations, batch after batch.
//!
//! # What a run does, and where
//!
//! [`Relay::run`] repeats these steps until nothing is due, its time is up or it is cancelled:
//!
//! 1. **Look** (`low_water.rs`): where does the backlog begin, and was any event ever put off?
//! 2. **Fast path** (`fast_path.rs`, `claim_range.rs`): delete a range of ids, apply it and commit, all in one
//!    transaction. Every event of the range must be plain: new, readable, and for one projection alone. Otherwise the
//!    range is rolled back, and the run goes on with step 3.
//! 3. **Claim** (`claim.rs`, `row.rs`): read the first due events that no earlier event of their key holds back.
//! 4. **Order by key** (`key_order.rs`, `routes.rs`): split them into batches of one route each. The events of a key
//!    stay in their order.
//! 5. **Deliver** (`batch.rs`): take each batch to the destinations of its route, one after the other. A projection
//!    applies events in the transaction that deletes them (`apply.rs`). A transport sends them, and confirms each
//!    (`deliver.rs`). An event that fails holds back the later ones of its key.
//! 6. **Finish** (`finish/`): delete what every destination has confirmed, and note what some have. Put off what failed
//!    (`backoff.rs`), or make it dead after its last attempt.
//!
//! Every transaction ends the same way (`run.rs`): the fence is checked, then it commits. Each step announces that it was
//! reached (`steps.rs`), so that a test can end the process there. `builder.rs` puts a relay together.

mod apply;
mod backoff;
mod batch;
mod builder;
mod claim;
mod claim_range;
mod deliver;
mod fast_path;
mod finish;
mod key_order;
mod low_water;
mod routes;
mod row;
mod run;
mod steps;

use std::{sync::Arc, time::Duration};

use ground::{Database, Fence, NoFence, unexpected};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use backoff::Jitter;
pub use builder::RelayBuilder;

use self::{
    backoff::Backoff,
    batch::Batch,
    claim::claim,
    fast_path::Ended,
    key_order::{FailedKeys, batches},
    low_water::{Look, LowWater},
    routes::Routes,
    row::Claimed,
    run::{Halt, Run},
    steps::{Step, reached},
};
use crate::{Now, RelayError};

/// Claims in a row that somebody else finished first, before the run gives way.
const STALE_CLAIMS: u32 = 3;

/// One run of a relay.
#[derive(Clone)]
pub struct RelayRun {
    /// Ends the run soon. A delivery to a transport is given up, and will be repeated.
    pub cancellation: CancellationToken,
    /// How long new work is begun. Work that has begun is finished.
    pub deadline: Duration,
    /// Asked in each transaction of the run, last before its commit.
    pub fence: Arc<dyn Fence>,
}

impl RelayRun {
    /// A run without a fence, and with a cancellation of its own.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self {
            cancellation: CancellationToken::new(),
            deadline,
            fence: Arc::new(NoFence),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayReport {
    /// Events delivered to all their destinations, and deleted.
    pub delivered: u64,
    /// Failed attempts that will be repeated.
    pub failed: u64,
    /// Events that became dead.
    pub dead: u64,
}

/// Delivers committed events to their destinations.
///
/// Run one relay at a time, with a lock around it. Two at once send events twice to transports. They never apply an
/// event twice.
#[derive(Clone)]
pub struct Relay {
    db: Database,
    now: Now,
    routes: Routes,
    low_water: Arc<LowWater>,
    batch_size: u64,
    max_attempts: i32,
    backoff: Backoff,
    delivery_timeout: Duration,
}

impl Relay {
    /// Starts a relay on `db`. Its routes come next.
    #[must_use]
    pub fn builder(db: impl Into<Database>) -> RelayBuilder {
        RelayBuilder::new(db.into())
    }

    /// The longest time from an event's first attempt to its last. An inbox must remember for longer.
    #[must_use]
    pub fn longest_retry(&self) -> Duration {
        // The waits double 31 times at most.
        let doubling = self.max_attempts.min(33);
        let sum = (1..doubling).fold(Duration::ZERO, |sum, failures| {
            sum.saturating_add(self.backoff.longest(failures))
        });
        let rest = u32::try_from(self.max_attempts - doubling).unwrap_or_default();
        sum.saturating_add(self.backoff.longest(doubling).saturating_mul(rest))
    }

    /// Delivers batch after batch until nothing is due, the time is up or the run is cancelled.
    ///
    /// # Errors
    /// When the run has to end early. What it delivered before stays delivered.
    pub async fn run(&self, run: &RelayRun) -> Result<RelayReport, RelayError> {
        let mut run = Run::new(self, run);
        let outcome = self.deliver_all(&mut run).await;
        if let Err(RelayError::Database(_)) = outcome {
            // It may be another database when it comes back.
            self.low_water.forget();
        }
        outcome.map(|()| run.report)
    }

    async fn deliver_all(&self, run: &mut Run<'_>) -> Result<(), RelayError> {
        let mut fast = self.routes.allow_the_fast_path();
        let mut stale = 0;
        while !run.must_stop() {
            let Some(look) = self.low_water.look(&self.db).await? else {
                break;
            };
            if fast && !look.put_off {
                match fast_path::deliver(run, &look).await {
                    Ok(Ended::MayBeMore) => continue,
                    Ok(Ended::Few) => {
                        fast = false;
                        continue;
                    }
                    Ok(Ended::NotPlain) => fast = false,
                    Err(Halt::Error(error)) => return Err(error),
                    Err(Halt::Refused(reason)) => {
                        return Err(RelayError::Database(unexpected(reason)));
                    }
                    Err(Halt::Stop | Halt::Stale) => break,
                }
            }
            let claimed = self.claim_from(&look).await?;
            if claimed.is_empty() {
                break;
            }
            match deliver_claimed(run, claimed).await {
                Ok(()) => stale = 0,
                Err(Halt::Stop) => break,
                Err(Halt::Stale) if stale + 1 < STALE_CLAIMS => stale += 1,
                Err(Halt::Stale) => {
                    let reason = "somebody else finishes the same events".to_owned();
                    return Err(RelayError::Conflict(reason));
                }
                Err(Halt::Refused(reason)) => return Err(RelayError::Database(unexpected(reason))),
                Err(Halt::Error(error)) => return Err(error),
            }
        }
        Ok(())
    }

    async fn claim_from(&self, look: &Look) -> Result<Vec<Claimed>, RelayError> {
        let claimed = claim(&self.db, (self.now)(), look.from, self.batch_size).await?;
        if let Some(last) = claimed.last() {
            self.low_water.claimed(last.event.id);
            reached(Step::Claimed, claimed.len());
        }
        Ok(claimed)
    }
}

/// Takes what was claimed at once through its steps: order by key, deliver, finish.
async fn deliver_claimed(run: &mut Run<'_>, claimed: Vec<Claimed>) -> Result<(), Halt> {
    let routes = &run.relay.routes;
    let mut failed_keys = FailedKeys::default();
    for (route, mut claimed) in batches(
        claimed,
        |claimed| &claimed.event,
        |claimed| routes.of_claimed(claimed),
    ) {
        claimed.retain(|claimed| !failed_keys.hold_back(&claimed.event));
        match route {
            None => finish::unroutable(run, claimed, &mut failed_keys).await?,
            Some(route) => {
                let batch = Batch::new(routes.destinations(route), claimed, &mut failed_keys);
                batch.deliver_and_finish(run).await?;
            }
        }
    }
    Ok(())
}
