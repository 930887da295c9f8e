//! `NotificationEventService` (guide 4.2): what members are told, stored first, then sent to every tab they have open.

mod door;
mod feed;
pub mod http;
mod message;
mod projection;
mod store;

pub use door::keep_out;
pub use feed::Feed;
pub use projection::NotificationProjection;
