//! A clock to set.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::clock::Clock;

/// A clock that moves only when a test moves it. Clones show the same time.
#[derive(Clone)]
pub struct ManualClock(watch::Sender<Shown>);

#[derive(Clone, Copy)]
struct Shown {
    now: DateTime<Utc>,
    elapsed: Duration,
    /// How often it was set back.
    set_back: u64,
}

impl Shown {
    fn go_to(&mut self, now: DateTime<Utc>) {
        match (now - self.now).to_std() {
            Ok(passed) => self.elapsed = self.elapsed.saturating_add(passed),
            Err(_) => self.set_back += 1,
        }
        self.now = now;
    }
}

impl ManualClock {
    /// Stands at `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(watch::Sender::new(Shown {
            now,
            elapsed: Duration::ZERO,
            set_back: 0,
        }))
    }

    /// Moves to `now`, and wakes those who slept until then. Forwards, time passes; back, the clock is set and no time
    /// passes.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.send_modify(|shown| shown.go_to(now));
    }

    /// Moves forwards.
    pub fn advance(&self, by: TimeDelta) {
        self.0.send_modify(|shown| shown.go_to(shown.now + by));
    }
}

/// Waits for what `is_over` says of the clock.
async fn wait(mut time: watch::Receiver<Shown>, is_over: impl FnMut(&Shown) -> bool) {
    if time.wait_for(is_over).await.is_err() {
        // The clock is gone, so its time never comes.
        std::future::pending::<()>().await;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.borrow().now
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let time = self.0.subscribe();
        async move { wait(time, |shown| shown.now >= t).await }.boxed()
    }

    fn elapsed(&self) -> Duration {
        self.0.borrow().elapsed
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        let time = self.0.subscribe();
        let until = self.elapsed().saturating_add(pause);
        async move { wait(time, |shown| shown.elapsed >= until).await }.boxed()
    }

    fn sleep_until_or_set_back(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let time = self.0.subscribe();
        let before = time.borrow().set_back;
        async move { wait(time, |shown| shown.now >= t || shown.set_back > before).await }.boxed()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({})", self.now())
    }
}
