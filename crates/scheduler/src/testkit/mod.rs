//! For tests of jobs: a clock to set, a scheduler to tick by hand, and events to wait for. No test needs to sleep.

mod clock;
mod signals;
mod ticker;

pub use self::clock::ManualClock;
pub use self::signals::Signals;
pub use self::ticker::Ticker;
