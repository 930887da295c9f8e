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

    fn ten() -> DateTime<Utc> {
        "2026-11-22T01:00:00Z".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_as_real_time_does() {
        let clock = DemoClock::starting_at(ten());
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), ten() + TimeDelta::seconds(90));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleeper_wakes_when_real_time_has_come_to_its_hour() {
        let clock = DemoClock::starting_at(ten());
        clock.sleep_until(ten() + TimeDelta::seconds(5)).await;
        assert!(clock.now() >= ten() + TimeDelta::seconds(5));
        assert!(clock.now() < ten() + TimeDelta::seconds(6));
    }

    #[tokio::test(start_paused = true)]
    async fn moving_it_past_the_hour_wakes_a_sleeper_at_once() {
        let clock = DemoClock::starting_at(ten());
        let began = Instant::now();
        let sleeper = tokio::spawn(clock.sleep_until(ten() + TimeDelta::hours(1)));
        tokio::task::yield_now().await;
        clock.advance(TimeDelta::minutes(61));
        sleeper.await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(1));
        assert!(clock.now() >= ten() + TimeDelta::minutes(61));
    }

    #[tokio::test(start_paused = true)]
    async fn moving_it_a_little_brings_the_sleepers_hour_nearer() {
        let clock = DemoClock::starting_at(ten());
        let began = Instant::now();
        let sleeper = tokio::spawn(clock.sleep_until(ten() + TimeDelta::minutes(10)));
        tokio::task::yield_now().await;
        clock.advance(TimeDelta::minutes(9));
        sleeper.await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 60);
    }
}
