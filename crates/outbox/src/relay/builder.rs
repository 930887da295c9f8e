//! Puts a relay together.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use ground::Database;

use super::{Jitter, Relay, backoff::Backoff, low_water::LowWater, routes::Routes};
use crate::{Destination, Now, RouteError};

/// What a relay is made of.
pub struct RelayBuilder {
    db: Database,
    now: Now,
    jitter: Jitter,
    routes: Vec<(String, Destination)>,
    batch_size: u64,
    max_attempts: i32,
    backoff: (Duration, Duration),
    delivery_timeout: Duration,
}

impl RelayBuilder {
    pub(super) fn new(db: Database) -> Self {
        Self {
            db,
            #[allow(
                clippy::disallowed_methods,
                reason = "the default; `now` takes another clock"
            )]
            now: Arc::new(Utc::now),
            jitter: Arc::new(rand::random::<f64>),
            routes: Vec::new(),
            batch_size: 1000,
            max_attempts: 10,
            backoff: (Duration::from_secs(1), Duration::from_secs(300)),
            delivery_timeout: Duration::from_secs(10),
        }
    }

    /// The clock of backoffs. By default it is the system's.
    #[must_use]
    pub fn now(mut self, now: Now) -> Self {
        self.now = now;
        self
    }

    /// The randomness of backoffs. By default it is the thread's generator.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sends events of a type to a destination. Call it again for other types, or for more destinations of a type.
    #[must_use]
    pub fn route(mut self, event_type: impl Into<String>, destination: Destination) -> Self {
        self.routes.push((event_type.into(), destination));
        self
    }

    /// Events claimed at once. The default is 1000.
    #[must_use]
    pub fn batch_size(mut self, batch_size: u64) -> Self {
        self.batch_size = batch_size.max(1);
        self
    }

    /// Attempts before an event becomes dead. The default is 10.
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: i32) -> Self {
        self.max_attempts = max_attempts.max(1);
        self
    }

    /// The wait after the first failure, and the longest wait. The defaults are 1 s and 5 min; a day is the most.
    ///
    /// The wait doubles with each failure. Half of it is random.
    #[must_use]
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        let longest = Duration::from_secs(24 * 3600);
        self.backoff = (base.min(longest), cap.max(base).min(longest));
        self
    }

    /// The longest wait for one answer of a destination. The default is 10 s.
    ///
    /// A transport that takes longer counts as unavailable, a projection as a conflict.
    #[must_use]
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.delivery_timeout = timeout;
        self
    }

    /// The relay.
    ///
    /// # Errors
    /// When two destinations have the same name.
    pub fn build(self) -> Result<Relay, RouteError> {
        let (base, cap) = self.backoff;
        Ok(Relay {
            db: self.db,
            now: self.now,
            routes: Routes::new(self.routes)?,
            low_water: Arc::new(LowWater::new()),
            batch_size: self.batch_size,
            max_attempts: self.max_attempts,
            backoff: Backoff {
                base,
                cap,
                jitter: self.jitter,
            },
            delivery_timeout: self.delivery_timeout,
        })
    }
}
