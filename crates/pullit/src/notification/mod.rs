//! `NotificationEventService` (guide 4.2): what members are told, stored first, then sent to every tab they have open.

mod delay;
mod eviction;
mod feed;
mod history;
pub mod http;
mod message;
mod projection;
mod retention;
mod settled;
mod store;
mod watch;

pub use delay::Delay;
pub use eviction::evict_ended;
pub use feed::{Feed, FeedOptions};
pub use projection::NotificationProjection;
pub use retention::Excess;
