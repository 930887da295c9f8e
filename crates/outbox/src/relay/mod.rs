//! The relay: from the outbox to its destinations, batch after batch.

mod builder;
mod carry;
mod claim;
mod delivery;
mod low_water;
mod pass;
mod project;
mod row;
mod settle;
mod steps;
mod sweep;
mod take;
mod waves;

use std::{collections::HashMap, sync::Arc, time::Duration};

use ground::{Database, Fence, NoFence, unexpected};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use builder::RelayBuilder;

use self::{
    claim::claim,
    low_water::LowWater,
    pass::{Halt, Pass},
    steps::{Step, reached},
    sweep::Swept,
    waves::Lane,
};
use crate::{Destination, Event, Now, RelayError};

/// Claims in a row that somebody else settled first, before the run gives way.
const STALE_CLAIMS: u32 = 3;

/// A source of random numbers in `0.0..=1.0`.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// One run of a relay.
#[derive(Clone)]
pub struct RelayRun {
    /// Ends the run soon: what is under way outside is given up and will be delivered again.
    pub cancellation: CancellationToken,
    /// How long new work is begun; what is under way is finished.
    pub deadline: Duration,
    /// Asked in each transaction of the run, last before its commit.
    pub fence: Arc<dyn Fence>,
}

impl RelayRun {
    /// A run that nobody fences and nobody cancels.
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
    /// Events that were given up.
    pub dead: u64,
}

/// Delivers committed events to their destinations. One relay at a time is expected (a lock around it); two at once
/// deliver twice outside, but never apply twice.
#[derive(Clone)]
pub struct Relay {
    db: Database,
    now: Now,
    jitter: Jitter,
    /// The distinct sets of destinations, and each type's place among them.
    routes: Vec<Vec<Destination>>,
    route_of: HashMap<String, usize>,
    /// Whether any type goes to one projection and nowhere else.
    sweeps: bool,
    low_water: Arc<LowWater>,
    batch_size: u64,
    max_attempts: i32,
    backoff_base: Duration,
    backoff_cap: Duration,
    delivery_timeout: Duration,
}

impl Relay {
    /// A relay on `db`, to be told its routes.
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
            sum.saturating_add(self.longest_wait(failures))
        });
        let rest = u32::try_from(self.max_attempts - doubling).unwrap_or_default();
        sum.saturating_add(self.longest_wait(doubling).saturating_mul(rest))
    }

    fn longest_wait(&self, failures: i32) -> Duration {
        let doublings = u32::try_from(failures - 1).unwrap_or_default().min(31);
        self.backoff_base
            .saturating_mul(1 << doublings)
            .min(self.backoff_cap)
    }

    /// Delivers batch after batch until nothing is due, the time is up or the run is cancelled.
    ///
    /// # Errors
    /// When the run has to end early; what it delivered before stays delivered.
    pub async fn run(&self, run: &RelayRun) -> Result<RelayReport, RelayError> {
        let report = self.deliver_all(run).await;
        if let Err(RelayError::Database(_)) = report {
            // It may be another database when it comes back.
            self.low_water.forget();
        }
        report
    }

    async fn deliver_all(&self, run: &RelayRun) -> Result<RelayReport, RelayError> {
        let started = Instant::now();
        // A deadline beyond the clock's range is none: a month will do.
        let ends = started
            .checked_add(run.deadline)
            .unwrap_or(started + Duration::from_secs(30 * 24 * 3600));
        let mut report = RelayReport::default();
        let mut stale = 0;
        let mut sweeping = self.sweeps;
        while !run.cancellation.is_cancelled() && Instant::now() < ends {
            let Some(look) = self.low_water.look(&self.db).await? else {
                break;
            };
            let mut pass = Pass {
                relay: self,
                run,
                ends,
                report: &mut report,
                failed: HashMap::new(),
            };
            if sweeping && !look.put_off {
                match pass.sweep(&look).await {
                    Ok(Swept::On) => continue,
                    Ok(Swept::Little) => {
                        sweeping = false;
                        continue;
                    }
                    Ok(Swept::NotPlain) => sweeping = false,
                    Err(Halt::Error(error)) => return Err(error),
                    Err(Halt::Refused(reason)) => {
                        return Err(RelayError::Database(unexpected(reason)));
                    }
                    Err(Halt::Stop | Halt::Stale) => break,
                }
            }
            let batch = claim(&self.db, (self.now)(), look.from, self.batch_size).await?;
            let Some(last) = batch.last() else {
                break;
            };
            self.low_water.claimed(last.event.id);
            reached(Step::Claimed, batch.len());
            match pass.process(batch).await {
                Ok(()) => stale = 0,
                Err(Halt::Stop) => break,
                Err(Halt::Stale) if stale + 1 < STALE_CLAIMS => stale += 1,
                Err(Halt::Stale) => {
                    let reason = "somebody else settles the same events".to_owned();
                    return Err(RelayError::Conflict(reason));
                }
                Err(Halt::Refused(reason)) => return Err(RelayError::Database(unexpected(reason))),
                Err(Halt::Error(error)) => return Err(error),
            }
        }
        Ok(report)
    }

    fn lane(&self, event: &Event) -> Lane {
        self.route_of
            .get(&event.event_type)
            .map_or(Lane::Unroutable, |place| Lane::Route(*place))
    }

    /// The backoff after so many failures: half of it fixed, half random, never nothing.
    fn wait_after(&self, failures: i32) -> chrono::TimeDelta {
        let half = self.longest_wait(failures) / 2;
        let jitter = (self.jitter)();
        let jitter = if jitter.is_nan() {
            1.0
        } else {
            jitter.clamp(0.0, 1.0)
        };
        let wait = half + half.mul_f64(jitter);
        chrono::TimeDelta::from_std(wait.max(Duration::from_millis(1)))
            .unwrap_or(chrono::TimeDelta::days(1))
    }
}
