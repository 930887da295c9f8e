//! Streams whose reader is slow or takes nothing.

use sse_hub::Ended;

use crate::client::{Client, event, hub, ping, seconds};

#[test]
fn a_reader_whose_queue_is_full_is_dropped_and_the_other_misses_nothing() {
    let hub = hub(|options| options.queue = 4);
    let mut slow = Client::open(&hub, 7);
    let mut quick = Client::open(&hub, 7);
    let taken: Vec<usize> = (1..=6)
        .map(|id| {
            let taken = hub.publish(&7, id, event(id));
            assert_eq!(quick.read_ids(), [id]);
            taken
        })
        .collect();
    assert_eq!(taken, [2, 2, 2, 2, 1, 1]);
    assert_eq!(slow.ended(), Some(Ended::TooSlow));
    assert_eq!(
        slow.read_ids(),
        [1, 2, 3, 4],
        "what waited is a prefix without gaps"
    );
    assert!(slow.over);
    assert_eq!(hub.stats().dropped.too_slow, 1);
}

#[test]
fn a_dropped_reader_resumes_without_a_gap() {
    let hub = hub(|options| options.queue = 2);
    let mut client = Client::open(&hub, 7);
    for id in 1..=4 {
        hub.publish(&7, id, event(id));
    }
    let mut seen = client.read_ids();

    let mut client = Client::open(&hub, 7);
    let last = *seen.last().unwrap();
    client.stream.resume_after(last);
    hub.publish(&7, 5, event(5));
    client
        .stream
        .replay((last + 1..=5).map(|id| (id, event(id))).collect());
    seen.extend(client.read_ids());
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[test]
fn a_repeat_does_not_drop_a_reader_whose_queue_is_full() {
    let hub = hub(|options| options.queue = 2);
    let mut client = Client::open(&hub, 7);
    for id in [1, 2, 1, 2] {
        hub.publish(&7, id, event(id));
    }
    assert_eq!(client.ended(), None);
    assert_eq!(client.read_ids(), [1, 2]);
}

#[test]
fn a_long_replay_does_not_count_against_the_queue() {
    let hub = hub(|options| options.queue = 2);
    let mut client = Client::open(&hub, 7);
    client
        .stream
        .replay((1..=100).map(|id| (id, event(id))).collect());
    hub.publish(&7, 101, event(101));
    hub.publish(&7, 102, event(102));
    assert_eq!(client.read_ids(), (1..=102).collect::<Vec<_>>());
    hub.publish(&7, 103, event(103));
    hub.publish(&7, 104, event(104));
    assert_eq!(
        client.read_ids(),
        [103, 104],
        "what was taken no longer counts"
    );
}

#[test]
fn resuming_makes_room_for_what_the_client_has_already() {
    let hub = hub(|options| options.queue = 2);
    let mut client = Client::open(&hub, 7);
    hub.publish(&7, 1, event(1));
    hub.publish(&7, 2, event(2));
    client.stream.resume_after(2);
    hub.publish(&7, 3, event(3));
    hub.publish(&7, 4, event(4));
    assert_eq!(client.read_ids(), [3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_for_too_long_is_dropped_with_what_waits_for_it() {
    let hub = hub(|options| options.stall = seconds(30));
    let mut stalled = Client::open(&hub, 7);
    let mut other = Client::open(&hub, 8);
    stalled.read();
    let mut reached = Vec::new();
    for _ in 0..12 {
        reached.push(hub.broadcast(ping()));
        assert_eq!(other.read_names(), ["heartbeat"]);
        tokio::time::advance(seconds(3)).await;
    }
    assert_eq!(reached, [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
    assert_eq!(stalled.ended(), Some(Ended::Stalled));
    assert_eq!(stalled.read_names(), [""; 0]);
    assert!(stalled.over);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_is_not_taken_for_a_stalled_one() {
    let hub = hub(|options| options.stall = seconds(30));
    let mut client = Client::open(&hub, 7);
    client.read();
    tokio::time::advance(seconds(3600)).await;
    hub.publish(&7, 1, event(1));
    hub.publish(&7, 2, event(2));
    assert_eq!(client.read_ids(), [1, 2]);
}
