//! Many streams at once: on several threads, and in little memory.

use std::sync::Arc;

use futures::StreamExt;
use sse_hub::Hub;
use tokio::sync::Barrier;

use crate::client::{Client, Parser, event, hub, ping};

const EVENTS: i64 = 500;

async fn read_until_last(hub: Hub<i64>, key: i64, ready: Arc<Barrier>) -> Vec<i64> {
    let mut stream = hub.subscribe(key).unwrap();
    ready.wait().await;
    let mut parser = Parser::default();
    let mut ids: Vec<i64> = Vec::new();
    while ids.last() != Some(&EVENTS) {
        parser.feed(&stream.next().await.unwrap());
        ids.extend(
            parser
                .events
                .drain(..)
                .filter_map(|event| event.id?.parse::<i64>().ok()),
        );
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_publish_read_come_and_go_lose_nothing() {
    let hub = hub(|options| options.queue = 10_000);
    let keys = 0..8_i64;
    let ready = Arc::new(Barrier::new(2 * 8 + 1));
    let readers: Vec<_> = keys
        .clone()
        .flat_map(|key| [key, key])
        .map(|key| tokio::spawn(read_until_last(hub.clone(), key, ready.clone())))
        .collect();
    ready.wait().await;

    let mut others: Vec<_> = keys
        .clone()
        .map(|key| {
            let hub = hub.clone();
            tokio::spawn(async move {
                for id in 1..=EVENTS {
                    hub.publish(&key, id, event(id));
                    if id % 50 == 0 {
                        hub.broadcast(ping());
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    others.push(tokio::spawn({
        let hub = hub.clone();
        async move {
            for round in 0..2_000 {
                let mut passing = Client::open(&hub, round % 8);
                passing.read();
                tokio::task::yield_now().await;
            }
        }
    }));
    for other in others {
        other.await.unwrap();
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (1..=EVENTS).collect::<Vec<_>>());
    }
    let stats = hub.stats();
    assert_eq!((stats.connections, stats.keys), (0, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_stream_costs_less_than_a_kibibyte_and_stays_there() {
    // So many that what other tests use meanwhile does not show.
    const STREAMS: usize = 50_000;
    fn resident_bytes() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }

    let hub = hub(|options| options.total = STREAMS);
    let before = resident_bytes();
    let mut clients = Vec::with_capacity(STREAMS);
    clients.extend((0..STREAMS as i64).map(|key| hub.subscribe(key).unwrap()));
    let drain = |clients: &mut Vec<_>| {
        for stream in clients {
            while let Some(Some(_)) = futures::FutureExt::now_or_never(StreamExt::next(stream)) {}
        }
    };
    drain(&mut clients);
    // A backlog comes and goes: its memory must go with it.
    for _ in 0..4 {
        assert_eq!(hub.broadcast(ping()), STREAMS);
    }
    drain(&mut clients);
    for _ in 0..10 {
        hub.broadcast(ping());
        drain(&mut clients);
    }
    let each = resident_bytes().saturating_sub(before) / STREAMS;
    println!("{each} bytes for each idle stream");
    assert!(each < 1024, "{each} bytes for each idle stream");
}
