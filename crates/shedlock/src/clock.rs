//! The clock that trust in a lease is measured with.

use std::{fmt::Debug, time::Duration};

/// Measures how long ago something was, whatever happens to the process meanwhile.
pub trait LeaseClock: Send + Sync + Debug + 'static {
    /// The time since a moment that is always the same. Never goes back; goes on while the process is
    /// stopped and while the machine sleeps.
    fn elapsed(&self) -> Duration;
}

/// The time since the machine was started, sleep included (`CLOCK_BOOTTIME` on Linux).
///
/// `std::time::Instant` stands still in suspend on Linux, so a laptop that was closed for an hour
/// would still trust a lease of a minute.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl LeaseClock for BootClock {
    fn elapsed(&self) -> Duration {
        since_boot()
    }
}

/// A reading of a [`LeaseClock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootInstant(Duration);

impl BootInstant {
    /// Nothing was before it.
    pub(crate) const START: Self = Self(Duration::ZERO);

    pub(crate) fn of(clock: &dyn LeaseClock) -> Self {
        Self(clock.elapsed())
    }

    pub(crate) fn now() -> Self {
        Self::of(&BootClock)
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(unix)]
fn since_boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    // Outside Linux the monotonic clock is the one that counts sleep.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    let now = clock_gettime(clock);
    // Since boot: neither part can be negative.
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

#[cfg(not(unix))]
fn since_boot() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}
