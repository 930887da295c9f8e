//! What a claim costs while somebody holds a snapshot open, so that nothing deleted can be cleared away: from the begin of a
//! run, or the commit of the batch before, to the batch in hand. Beside it, the first row looked for from the start.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use outbox::Signal;
use sea_orm::{ConnectionTrait, IsolationLevel, Statement, TransactionTrait};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

use crate::{
    effect::Totals,
    setting::{database, long_run, number, publish, quantile, relay},
};

const FIRST: &str = "SELECT MIN(id) FROM outbox_event WHERE status = 'PENDING'";
const BURSTS_PER_SECOND: u64 = 50;

/// Takes the time of each claim.
#[derive(Clone, Default)]
struct Claims(Arc<Mutex<(Option<Instant>, Vec<f64>)>>);

impl Claims {
    fn begins(&self) {
        self.0.lock().unwrap().0 = Some(Instant::now());
    }

    fn claimed(&self) {
        let (begun, claims) = &mut *self.0.lock().unwrap();
        claims.extend(
            begun
                .take()
                .map(|begun| begun.elapsed().as_secs_f64() * 1000.0),
        );
    }
}

struct Step(String);

impl Visit for Step {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "step" {
            self.0 = value.to_owned();
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl<S: Subscriber> Layer<S> for Claims {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != "outbox::step" {
            return;
        }
        let mut step = Step(String::new());
        event.record(&mut step);
        match step.0.as_str() {
            "claimed" => self.claimed(),
            "committed" => self.begins(),
            _ => {}
        }
    }
}

pub(crate) async fn run() {
    let seconds = number("BENCH_SNAPSHOT_SECONDS", 10);
    let rate = number("BENCH_SNAPSHOT_RATE", 2_000);
    let claims = Claims::default();
    let subscriber = Registry::default().with(claims.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let (database, db) = database("postgres").await;
    let (said, mut took_effect) = tokio::sync::mpsc::unbounded_channel();
    let relay = relay(&db, Arc::new(Totals(Some(said))));
    let signal = Signal::new();
    let relaying = tokio::spawn({
        let (signal, claims) = (signal.clone(), claims.clone());
        async move {
            loop {
                signal.notified().await;
                claims.begins();
                relay.run(&long_run()).await.unwrap();
            }
        }
    });
    // Connections and statements are there before anything is measured.
    publish(&db, 0..1000).await;
    signal.notify();
    took_effect.recv().await.unwrap();
    claims.0.lock().unwrap().1.clear();

    let held = database.connect().await;
    let snapshot = held
        .begin_with_config(Some(IsolationLevel::RepeatableRead), None)
        .await
        .unwrap();
    let first = || Statement::from_string(snapshot.get_database_backend(), FIRST);
    snapshot.query_one_raw(first()).await.unwrap();

    let publisher = database.connect().await;
    let mut bursts = tokio::time::interval(Duration::from_secs(1) / BURSTS_PER_SECOND as u32);
    let burst = rate.div_ceil(BURSTS_PER_SECOND);
    let (begun, mut published) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        bursts.tick().await;
        publish(&publisher, published..published + burst).await;
        signal.notify();
        published += burst;
    }
    let mut applied = 0;
    while applied < published {
        applied += took_effect.recv().await.unwrap() as u64;
    }
    relaying.abort();

    let mut naive = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        publisher.query_one_raw(first()).await.unwrap();
        naive.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    snapshot.rollback().await.unwrap();
    let mut claims = std::mem::take(&mut claims.0.lock().unwrap().1);
    println!(
        "snapshot: held for {seconds} s, {published} events published and relayed; milliseconds of {} claims",
        claims.len()
    );
    println!(
        "median {:.2}, p99 {:.2}, most {:.2}; looked for from the start: {:.2}",
        quantile(&mut claims, 0.5),
        quantile(&mut claims, 0.99),
        quantile(&mut claims, 1.0),
        quantile(&mut naive, 0.5),
    );
}
