//! Real time that can be moved on.

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use scheduler::Clock;
use tokio::sync::watch;
use tokio::time::Instant;

/// Starts at a given time, goes on as real time does, and jumps when it is told to. Clones show the same time.
#[derive(Clone, Debug)]
pub(super) struct DemoClock {
    origin: DateTime<Utc>,
    began: Instant,
    moved: watch::Sender<TimeDelta>,
}

impl DemoClock {
    /// Shows `origin` now.
    pub(super) fn starting_at(origin: DateTime<Utc>) -> Self {
        Self {
            origin,
            began: Instant::now(),
            moved: watch::Sender::new(TimeDelta::zero()),
        }
    }

    /// Moves on, and wakes those whose time has come.
    pub(super) fn advance(&self, by: TimeDelta) {
        self.moved.send_modify(|moved| *moved += by);
    }
}

fn shown(origin: DateTime<Utc>, began: Instant, moved: TimeDelta) -> DateTime<Utc> {
    // A demonstration is not played for 292 million years.
    let passed = TimeDelta::from_std(began.elapsed()).unwrap_or(TimeDelta::MAX);
    origin + passed + moved
}

impl Clock for DemoClock {
    fn now(&self) -> DateTime<Utc> {
        shown(self.origin, self.began, *self.moved.borrow())
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let (origin, began) = (self.origin, self.began);
        let mut moved = self.moved.subscribe();
        async move {
            loop {
                let now = shown(origin, began, *moved.borrow_and_update());
                let Ok(left) = (t - now).to_std() else { return };
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    jumped = moved.changed() => if jumped.is_err() {
                        // Nobody can move it any more: real time is all that passes.
                        tokio::time::sleep(left).await;
                        return;
                    },
                }
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(20);

    fn ten() -> DateTime<Utc> {
        "2026-11-22T01:00:00Z".parse().unwrap()
    }

    #[tokio::test]
    async fn it_goes_on_as_real_time_does_and_wakes_a_sleeper_at_its_hour() {
        let clock = DemoClock::starting_at(ten());
        let hour = ten() + TimeDelta::milliseconds(50);
        clock.sleep_until(hour).await;
        assert!(clock.began.elapsed() >= Duration::from_millis(50));
        assert!(clock.now() >= hour);
        // An hour that has passed is not waited for.
        clock.sleep_until(ten()).await;
    }

    #[tokio::test]
    async fn moving_it_past_the_hour_wakes_a_sleeper_at_once() {
        let clock = DemoClock::starting_at(ten());
        let sleeper = tokio::spawn(clock.sleep_until(ten() + TimeDelta::hours(1)));
        tokio::task::yield_now().await;
        clock.advance(TimeDelta::minutes(61));
        tokio::time::timeout(TIMEOUT, sleeper)
            .await
            .unwrap()
            .unwrap();
        assert!(clock.now() >= ten() + TimeDelta::minutes(61));
    }

    #[tokio::test]
    async fn moving_it_a_little_brings_the_sleepers_hour_nearer() {
        let clock = DemoClock::starting_at(ten());
        let hour = ten() + TimeDelta::minutes(10);
        let sleeper = tokio::spawn(clock.sleep_until(hour));
        tokio::task::yield_now().await;
        clock.advance(TimeDelta::minutes(10) - TimeDelta::milliseconds(50));
        tokio::time::timeout(TIMEOUT, sleeper)
            .await
            .unwrap()
            .unwrap();
        assert!(clock.now() >= hour);
    }

    #[tokio::test]
    async fn a_sleeper_outlives_the_clock() {
        let clock = DemoClock::starting_at(ten());
        let sleeping = clock.sleep_until(ten() + TimeDelta::milliseconds(50));
        drop(clock);
        tokio::time::timeout(TIMEOUT, sleeping).await.unwrap();
    }
}
