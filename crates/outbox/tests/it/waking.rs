//! Wake-ups between processes, on PostgreSQL. Each `Node` has a pool of its own, as a process has.

use std::time::Duration;

use outbox::{NewEvent, PostgresWake, Signal, Statements, publish};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{Outbox, Wire, run};

const CHANNEL: &str = "outbox test";
const BOUND: Duration = Duration::from_secs(30);

/// What a process hears on the channel.
struct Ear {
    heard: mpsc::UnboundedReceiver<()>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Ear {
    /// Listens; the first wake-up, which only says that it does, is taken.
    async fn of(wake: PostgresWake) -> Self {
        let (hear, heard) = mpsc::unbounded_channel();
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let task = tokio::spawn(async move {
            wake.run(stop, || hear.send(()).unwrap()).await;
        });
        let mut ear = Self {
            heard,
            cancel,
            task,
        };
        ear.next().await;
        ear
    }

    async fn next(&mut self) {
        let heard = timeout(BOUND, self.heard.recv()).await;
        heard.expect("a wake-up in time").expect("a listener");
    }

    async fn stop(self) {
        self.cancel.cancel();
        timeout(BOUND, self.task).await.unwrap().unwrap();
    }
}

async fn wake(outbox: &Outbox) -> PostgresWake {
    let db = outbox.database.connect().await;
    PostgresWake::new(db.postgres().unwrap().clone(), CHANNEL)
}

async fn outbox() -> Outbox {
    Outbox::new(testkit::Database::postgres().await).await
}

#[tokio::test]
async fn a_publish_on_one_node_wakes_the_relay_of_another_that_would_not_look_for_an_hour() {
    let outbox = outbox().await;
    let wire = Wire::new();
    let relay = outbox.relay().route("A", wire.to()).build().unwrap();
    let here = Signal::reaching(wake(&outbox).await);
    let there = Signal::reaching(wake(&outbox).await);
    let cancel = CancellationToken::new();
    let (hearing, stop) = (there.clone(), cancel.clone());
    let hearing = tokio::spawn(async move { hearing.hear(stop).await });
    // The first only says that it listens now.
    timeout(BOUND, there.notified()).await.unwrap();
    let relaying = tokio::spawn(async move {
        let tick = Duration::from_secs(3600);
        let mut delivered = 0;
        while delivered == 0 {
            let _tick = timeout(tick, there.notified()).await;
            delivered += run(&relay).await.delivered;
        }
    });
    outbox.publish("A", "k").await;
    here.notify();
    timeout(BOUND, relaying).await.unwrap().unwrap();
    assert_eq!(wire.asked().len(), 1);
    cancel.cancel();
    timeout(BOUND, hearing).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_publish_that_is_rolled_back_wakes_nobody() {
    let outbox = outbox().await;
    let mut ear = Ear::of(wake(&outbox).await).await;
    let mut tx = outbox.db.begin().await.unwrap();
    let event = NewEvent::new("A", "k", json!({}));
    publish(&mut tx, event, outbox.now()).await.unwrap();
    tx.rollback().await;
    let mut tx = outbox.db.begin().await.unwrap();
    let event = NewEvent::new("A", "k", json!({}));
    publish(&mut tx, event, outbox.now()).await.unwrap();
    tx.commit().await.unwrap();
    // Notifications arrive in the order of their commits: what came before this one would be heard before it.
    wake(&outbox).await.notify();
    ear.next().await;
    assert!(
        ear.heard.try_recv().is_err(),
        "the publishes sent nothing by themselves"
    );
    ear.stop().await;
}

#[tokio::test]
async fn a_node_does_not_wake_itself() {
    let outbox = outbox().await;
    let (one, other) = (wake(&outbox).await, wake(&outbox).await);
    let mut ears = (Ear::of(one.clone()).await, Ear::of(other.clone()).await);
    // By the time that the other has heard the last of them, it would have heard the first itself.
    for _ in 0..5 {
        one.notify();
        ears.1.next().await;
    }
    assert!(ears.0.heard.try_recv().is_err());
    other.notify();
    ears.0.next().await;
    ears.0.stop().await;
    ears.1.stop().await;
}

#[tokio::test]
async fn a_thousand_calls_are_few_notifications_and_the_last_is_heard() {
    let outbox = outbox().await;
    let loud = wake(&outbox).await;
    let mut ear = Ear::of(wake(&outbox).await).await;
    for _ in 0..10 {
        for _ in 0..100 {
            loud.notify();
        }
        tokio::task::yield_now().await;
    }
    ear.next().await;
    // Asked while the first was on its way, so there is one more.
    ear.next().await;
    let last = wake(&outbox).await;
    last.notify();
    ear.next().await;
    let mut more = 0;
    while ear.heard.try_recv().is_ok() {
        more += 1;
    }
    assert!(more <= 5, "{more} more");
    ear.stop().await;
}

#[tokio::test]
async fn a_listener_that_loses_its_connection_listens_again_and_wakes_at_once() {
    let outbox = outbox().await;
    let other = wake(&outbox).await;
    let mut ear = Ear::of(wake(&outbox).await).await;
    for _ in 0..3 {
        let cut = "SELECT COUNT(pg_terminate_backend(pid)) AS n FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()";
        assert_eq!(outbox.number(cut).await, 1);
        // Connected again, without anybody's notification.
        ear.next().await;
        other.notify();
        ear.next().await;
    }
    ear.stop().await;
}

#[tokio::test]
async fn a_listener_finds_its_way_to_a_database_that_was_away() {
    let outbox = outbox().await;
    let away = "UPDATE pg_database SET datallowconn = $ WHERE datname = current_database()";
    let mut ear = Ear::of(wake(&outbox).await).await;
    let mut keep = outbox.db.begin().await.unwrap();
    keep.script(&away.replace('$', "false")).await.unwrap();
    keep.commit().await.unwrap();
    let cut = "SELECT COUNT(pg_terminate_backend(pid)) AS n FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()";
    assert_eq!(outbox.number(cut).await, 1);
    let refused = timeout(Duration::from_millis(500), ear.heard.recv()).await;
    assert!(refused.is_err(), "it cannot connect");
    outbox.execute(&away.replace('$', "true")).await;
    ear.next().await;
    ear.stop().await;
}

#[tokio::test]
async fn a_wake_up_that_cannot_be_sent_harms_nobody() {
    let outbox = outbox().await;
    let db = outbox.database.connect().await;
    let pool = db.postgres().unwrap().clone();
    let signal = Signal::reaching(PostgresWake::new(pool.clone(), CHANNEL));
    pool.close().await;
    signal.notify();
    signal.notified().await;
    signal.notify();
    signal.notified().await;
}

#[tokio::test]
async fn what_was_asked_for_is_sent_before_the_connections_are_closed() {
    let outbox = outbox().await;
    let mut ear = Ear::of(wake(&outbox).await).await;
    let db = outbox.database.connect().await;
    let pool = db.postgres().unwrap().clone();
    let last = PostgresWake::new(pool.clone(), CHANNEL);
    last.notify();
    // The first is on its way.
    last.notify();
    last.flush().await;
    pool.close().await;
    ear.next().await;
    ear.next().await;
    ear.stop().await;
}

#[tokio::test]
async fn a_wake_up_that_found_no_connection_is_sent_again() {
    let outbox = outbox().await;
    let mut ear = Ear::of(wake(&outbox).await).await;
    let db = outbox.database.connect().await;
    let options = db.postgres().unwrap().connect_options();
    let short = Duration::from_millis(50);
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(short)
        .connect_lazy_with(options.as_ref().clone());
    let mut taken = pool.acquire().await;
    while taken.is_err() {
        taken = pool.acquire().await;
    }
    PostgresWake::new(pool, CHANNEL).notify();
    // Longer than the first try waits for a connection, and shorter than the pause before the second.
    tokio::time::sleep(2 * short).await;
    drop(taken);
    ear.next().await;
    ear.stop().await;
}
