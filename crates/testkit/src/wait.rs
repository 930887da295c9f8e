//! Waiting, with a bound, for what cannot announce itself.

use std::{panic::Location, time::Duration};

use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(5);

/// Asks `condition` every few milliseconds until it says yes.
///
/// # Panics
/// With `what` and the caller's place when `bound` has passed. The condition itself is not cut
/// short: what it does must end by itself.
#[track_caller]
pub fn until(
    what: &str,
    bound: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = Location::caller();
    async move {
        let deadline = Instant::now() + bound;
        while !condition().await {
            assert!(
                Instant::now() < deadline,
                "waited {bound:?} in vain until {what} (at {caller})"
            );
            sleep(PAUSE).await;
        }
    }
}
