//! How a relay is put together.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::Utc;
use ground::Database;

use super::{Jitter, Relay, low_water::LowWater, sweep::sole_projection};
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

    /// The clock of backoffs; the system's by default.
    #[must_use]
    pub fn now(mut self, now: Now) -> Self {
        self.now = now;
        self
    }

    /// The randomness of backoffs; the thread's generator by default.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sends events of a type to a destination. Call it again for further types and for further destinations of a type.
    #[must_use]
    pub fn route(mut self, event_type: impl Into<String>, destination: Destination) -> Self {
        self.routes.push((event_type.into(), destination));
        self
    }

    /// Events claimed at once; 1000 by default.
    #[must_use]
    pub fn batch_size(mut self, batch_size: u64) -> Self {
        self.batch_size = batch_size.max(1);
        self
    }

    /// Attempts before an event is given up; 10 by default.
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: i32) -> Self {
        self.max_attempts = max_attempts.max(1);
        self
    }

    /// The wait after the first failure, which doubles with each further one, and its limit; 1 s and 5 min by default.
    /// Half of each wait is random.
    #[must_use]
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.backoff = (base, cap.max(base));
        self
    }

    /// The longest wait for one answer of a destination; 10 s by default. A transport that takes longer counts as
    /// unavailable, a projection as a conflict.
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
        let mut by_name: HashMap<String, Destination> = HashMap::new();
        let mut by_type: HashMap<String, Vec<Destination>> = HashMap::new();
        for (event_type, destination) in self.routes {
            let name = destination.name().to_owned();
            let known = by_name
                .entry(name.clone())
                .or_insert_with(|| destination.clone());
            if !known.is_same(&destination) {
                return Err(RouteError::SameName(name));
            }
            let route = by_type.entry(event_type).or_default();
            if !route.iter().any(|other| other.is_same(&destination)) {
                route.push(destination);
            }
        }
        let mut routes: Vec<Vec<Destination>> = Vec::new();
        let mut route_of = HashMap::new();
        for (event_type, route) in by_type {
            let same = |other: &Vec<Destination>| {
                other.len() == route.len() && other.iter().zip(&route).all(|(a, b)| a.is_same(b))
            };
            let place = routes.iter().position(same).unwrap_or(routes.len());
            if place == routes.len() {
                routes.push(route);
            }
            route_of.insert(event_type, place);
        }
        let sweeps = routes.iter().any(|route| sole_projection(route).is_some());
        Ok(Relay {
            db: self.db,
            now: self.now,
            jitter: self.jitter,
            routes,
            route_of,
            sweeps,
            low_water: Arc::new(LowWater::new()),
            batch_size: self.batch_size,
            max_attempts: self.max_attempts,
            backoff_base: self.backoff.0,
            backoff_cap: self.backoff.1,
            delivery_timeout: self.delivery_timeout,
        })
    }
}
