//! The mailbox by itself.

use super::*;

const LIMITS: Limits = Limits {
    queue: 64,
    stall: Duration::from_secs(30),
};

fn ping() -> Frame {
    Frame::event("heartbeat", None, "ping")
}

#[test]
fn an_emptied_queue_gives_back_the_room_of_a_backlog() {
    let now = Instant::now();
    let mut mailbox = Mailbox::new(now);
    for _ in 0..LIMITS.queue {
        mailbox.push(Origin::Broadcast, &ping(), &LIMITS, now);
    }
    while mailbox.pop(now).is_some() {}
    assert!(mailbox.items.capacity() <= IDLE_CAPACITY);
}

#[test]
fn a_stream_that_ends_before_its_replay_hands_out_no_later_event() {
    let now = Instant::now();
    let mut mailbox = Mailbox::new(now);
    mailbox.push(Origin::Live(201), &ping(), &LIMITS, now);
    mailbox.end(Ended::Draining, Some(ping()), Waiting::Sent);
    mailbox.resume_after(100);
    mailbox.replay(vec![(101, ping())]);
    assert_eq!(mailbox.pop(now).map(|item| item.origin), Some(Origin::Last));
    assert!(mailbox.pop(now).is_none());
}

#[test]
fn a_stream_that_ends_before_its_resume_point_is_known_hands_out_no_event() {
    let now = Instant::now();
    let mut mailbox = Mailbox::new(now);
    mailbox.push(Origin::Live(201), &ping(), &LIMITS, now);
    mailbox.end(Ended::GaveWay, Some(ping()), Waiting::Sent);
    mailbox.handshake(Frame::event("resync", None, "reload"));
    mailbox.resume_after(200);
    assert_eq!(mailbox.pop(now).map(|item| item.origin), Some(Origin::Last));
    assert!(mailbox.pop(now).is_none());
}

#[test]
fn nothing_comes_after_the_last_frame() {
    let now = Instant::now();
    let mut mailbox = Mailbox::new(now);
    mailbox.end(Ended::Expired, Some(ping()), Waiting::Sent);
    assert_eq!(
        mailbox.push(Origin::Live(1), &ping(), &LIMITS, now),
        Push::Closed
    );
    mailbox.replay(vec![(1, ping())]);
    mailbox.handshake(ping());
    assert_eq!(mailbox.pop(now).map(|item| item.origin), Some(Origin::Last));
    assert!(mailbox.pop(now).is_none());
}
