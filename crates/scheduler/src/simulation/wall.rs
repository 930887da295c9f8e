//! A process's wall clock: it goes right, is ahead or behind, and is set while the process runs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::sleep;

use super::line::Clocks;
use super::time::at;
use crate::clock::Clock;

/// Clones show the same time.
#[derive(Debug, Clone)]
pub(super) struct Wall {
    clocks: Clocks,
    shown: watch::Sender<Shown>,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    ahead: TimeDelta,
    /// How often it was set back.
    set_back: u64,
}

impl Wall {
    pub(super) fn new(clocks: Clocks, ahead: TimeDelta) -> Self {
        Self {
            clocks,
            shown: watch::Sender::new(Shown { ahead, set_back: 0 }),
        }
    }

    pub(super) fn ahead(&self) -> TimeDelta {
        self.shown.borrow().ahead
    }

    /// Sets it, forwards or back.
    pub(super) fn set(&self, by: TimeDelta) {
        self.shown.send_modify(|shown| {
            shown.ahead += by;
            shown.set_back += u64::from(by < TimeDelta::zero());
        });
    }

    async fn sleep_until_or(self, t: DateTime<Utc>, is_over: impl Fn(&Shown) -> bool) {
        let mut shown = self.shown.subscribe();
        loop {
            let left = t - self.now();
            if left <= TimeDelta::zero() || is_over(&shown.borrow_and_update()) {
                return;
            }
            let left = left.min(TimeDelta::days(1)).num_microseconds();
            let timer = self.clocks.timer(left.unwrap_or(0) as u64);
            tokio::select! {
                biased;
                _ = shown.changed() => {}
                () = sleep(timer) => {}
            }
        }
    }
}

impl Clock for Wall {
    fn now(&self) -> DateTime<Utc> {
        at(self.clocks.now()) + self.ahead()
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        self.clone().sleep_until_or(t, |_| false).boxed()
    }

    /// What the operating system counts, it counts as fast as its wall clock goes.
    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.clocks.now())
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        let clocks = self.clocks;
        let until = self.elapsed().saturating_add(pause);
        async move {
            loop {
                let left = until.saturating_sub(Duration::from_micros(clocks.now()));
                if left.is_zero() {
                    return;
                }
                let left = left.min(Duration::from_secs(86_400));
                sleep(clocks.timer(left.as_micros() as u64)).await;
            }
        }
        .boxed()
    }

    fn sleep_until_or_set_back(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let before = self.shown.borrow().set_back;
        let wall = self.clone();
        wall.sleep_until_or(t, move |shown| shown.set_back > before)
            .boxed()
    }
}

/// One that knows nothing but its wall: whatever waits, waits for what it shows.
#[derive(Debug)]
pub(super) struct WallAlone(pub(super) Wall);

impl Clock for WallAlone {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        self.0.sleep_until(t)
    }
}
