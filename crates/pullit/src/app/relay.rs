//! Step 3: the relay, and where each type of event goes.

use std::sync::Arc;
use std::time::Duration;

use outbox::{Destination, Relay};

use super::BuildError;
use super::foundation::Foundation;
use super::rooms::DomainRooms;
use crate::learn_stats::{
    LearnStats, QUESTION_SET_SOLVED, SolvedProjection, WEEKLY_RESET, WeeklyProjection,
};
use crate::notification::NotificationProjection;
use crate::platform::payload::up_to_version;
use crate::question_set::events::{
    QUESTION_GENERATION_REQUESTED, QUESTION_SET_COMPLETED, QUESTION_SET_FAILED,
};

/// The pause after the first failed delivery of an event, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// Longest time that the relay waits for a destination: the broker's own verdict comes first.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(12);

pub(super) fn build(base: &Foundation, rooms: &DomainRooms) -> Result<Relay, BuildError> {
    let relay = routes(base, rooms)?;
    let keep = base.config.retention.inbox.duration();
    if keep <= relay.longest_retry() {
        return Err(BuildError::Configuration(format!(
            "retention.inbox must be longer than an event is retried ({} s)",
            relay.longest_retry().as_secs()
        )));
    }
    Ok(relay)
}

fn routes(base: &Foundation, rooms: &DomainRooms) -> Result<Relay, outbox::RouteError> {
    let (bounds, stats) = (&base.config.outbox, &rooms.learn_stats);
    let notifications = NotificationProjection::new(Arc::clone(&rooms.feed), Arc::clone(&base.now));
    let notifications = up_to_version(1, Destination::Projection(Arc::new(notifications)));
    let solved = Destination::Projection(Arc::new(SolvedProjection(LearnStats::clone(stats))));
    let reset = Destination::Projection(Arc::new(WeeklyProjection(LearnStats::clone(stats))));
    let generation = Arc::clone(&base.broker).destination();
    Relay::builder(base.db.write())
        .now(Arc::clone(&base.now))
        .batch_size(u64::from(bounds.batch))
        .max_attempts(i32::try_from(bounds.attempts).unwrap_or(i32::MAX))
        .backoff(BACKOFF.0, BACKOFF.1)
        .delivery_timeout(DELIVERY_TIMEOUT)
        .route(QUESTION_GENERATION_REQUESTED, up_to_version(1, generation))
        .route(QUESTION_SET_COMPLETED, notifications.clone())
        .route(QUESTION_SET_FAILED, notifications)
        .route(QUESTION_SET_SOLVED, up_to_version(1, solved))
        .route(WEEKLY_RESET, up_to_version(1, reset))
        .build()
}
