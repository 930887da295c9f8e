//! What a client that comes back has missed.

use sse_hub::Frame;

use super::feed::{Feed, Progress};
use super::store::{self, Notification};

/// The longest history that is replayed; a client that missed more is told to load its state anew.
const MOST_REPLAYED: i64 = 500;

/// What stands before the number of an id that no notification has.
const SINCE: &str = "since-";

/// A place in the order of all notifications, for a client to come back to that was sent none yet.
pub(super) fn place(settled: i64) -> Frame {
    Frame::id(&format!("{SINCE}{settled}"))
}

/// The last event id of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastId {
    Notification(i64),
    Place(i64),
}

impl LastId {
    fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.parse().ok().filter(|id| *id >= 0);
        match text.strip_prefix(SINCE) {
            Some(place) => number(place).map(Self::Place),
            None => number(text).map(Self::Notification),
        }
    }
}

/// What a client has missed.
pub(super) struct Missed {
    /// It has everything up to here.
    pub(super) after: i64,
    /// All of what it has missed, up to what it will hear live.
    pub(super) notifications: Vec<Notification>,
}

/// Everything that the member's client with this last event id has missed up to `settled`; none when that is not all kept, too much, or the
/// id is none of ours.
pub(super) async fn missed(
    feed: &Feed,
    member: i64,
    last: &str,
    progress: Progress,
    settled: i64,
) -> Result<Option<Missed>, sqlx::Error> {
    let (after, is_place) = match LastId::parse(last) {
        Some(LastId::Notification(id)) => (id, false),
        // From another database, or from before this one was set back.
        Some(LastId::Place(place)) if place > progress.newest.max(settled) => return Ok(None),
        Some(LastId::Place(place)) => (place, true),
        None => return Ok(None),
    };
    let db = feed.db.read();
    let notifications = store::of_member(db, member, after, settled, MOST_REPLAYED + 1).await?;
    // Asked afterwards: what is pruned from now on was read already.
    let retained = store::retained(db, member, after).await?;
    let whole =
        (is_place || retained.own) && retained.whole && notifications.len() as i64 <= MOST_REPLAYED;
    Ok(whole.then_some(Missed {
        after,
        notifications,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_notifications_number_or_a_place() {
        assert_eq!(LastId::parse("41"), Some(LastId::Notification(41)));
        assert_eq!(LastId::parse("since-41"), Some(LastId::Place(41)));
        assert_eq!(
            place(41).as_bytes(),
            Frame::id("since-41").as_bytes(),
            "what is sent is what is understood"
        );
        for none in [
            "",
            "-1",
            "since-",
            "since--1",
            "1_1760000000000",
            "since-x",
            "99999999999999999999",
        ] {
            assert_eq!(LastId::parse(none), None, "{none}");
        }
    }
}
