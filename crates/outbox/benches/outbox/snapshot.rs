//! What a claim costs while somebody holds a snapshot open, so that nothing deleted can be cleared away: from the begin of a
//! run, or the commit of the batch before, to the batch in hand. Beside it, the first row looked for from the start; and, to tell
//! dead rows from a busy machine, the pages that all statements read and the time of a statement that reads nothing, in thirds.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use outbox::{Database, Signal, Statements};
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
const NOTHING: &str = "SELECT 1";
// What a session has read is told once a second at most.
const PAGES: &str = "SELECT (heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::bigint
    FROM pg_statio_user_tables WHERE relname = 'outbox_event'";
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

/// What was measured in a third of the time.
struct Third {
    claims: Vec<f64>,
    nothing: Vec<f64>,
    events: u64,
    pages: i64,
}

impl Third {
    fn print(&mut self, number: usize) {
        println!(
            "third {number}: {} claims, median {:.2}, p99 {:.2}; {:.1} pages an event; a statement that reads nothing: median {:.2}, p99 {:.2}",
            self.claims.len(),
            quantile(&mut self.claims, 0.5),
            quantile(&mut self.claims, 0.99),
            self.pages as f64 / self.events as f64,
            quantile(&mut self.nothing, 0.5),
            quantile(&mut self.nothing, 0.99),
        );
    }
}

async fn pages(db: &Database) -> i64 {
    db.scalar(PAGES, vec![]).await.unwrap().unwrap()
}

/// Milliseconds of a statement.
async fn time_of(db: &Database, sql: &'static str) -> f64 {
    let begun = Instant::now();
    db.raw_row(sql, vec![]).await.unwrap();
    begun.elapsed().as_secs_f64() * 1000.0
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
    let mut snapshot = held.begin_snapshot().await.unwrap();
    snapshot.raw_row(FIRST, vec![]).await.unwrap();

    let publisher = database.connect().await;
    let mut thirds = Vec::new();
    let mut published = 0;
    for _ in 0..3 {
        let third = third(&publisher, &signal, &claims, published).await;
        published += third.events;
        thirds.push(third);
    }
    let mut applied = 0;
    while applied < published {
        applied += took_effect.recv().await.unwrap() as u64;
    }
    relaying.abort();

    let mut naive = Vec::new();
    for _ in 0..5 {
        naive.push(time_of(&publisher, FIRST).await);
    }
    snapshot.rollback().await;
    print(&mut thirds, published, &mut naive);
}

fn seconds() -> u64 {
    number("BENCH_SNAPSHOT_SECONDS", 10)
}

/// Publishes for a third of the time, in bursts, while the relay works.
async fn third(publisher: &Database, signal: &Signal, claims: &Claims, first: u64) -> Third {
    let burst = number("BENCH_SNAPSHOT_RATE", 2_000).div_ceil(BURSTS_PER_SECOND);
    let mut bursts = tokio::time::interval(Duration::from_secs(1) / BURSTS_PER_SECOND as u32);
    let (begun, before, mut published) = (Instant::now(), pages(publisher).await, first);
    let mut nothing = Vec::new();
    while begun.elapsed() < Duration::from_secs(seconds()) / 3 {
        bursts.tick().await;
        publish(publisher, published..published + burst).await;
        signal.notify();
        published += burst;
        nothing.push(time_of(publisher, NOTHING).await);
    }
    let taken = std::mem::take(&mut claims.0.lock().unwrap().1);
    Third {
        claims: taken,
        nothing,
        events: published - first,
        pages: pages(publisher).await - before,
    }
}

fn print(thirds: &mut [Third], published: u64, naive: &mut [f64]) {
    let mut claims: Vec<f64> = thirds
        .iter()
        .flat_map(|third| third.claims.clone())
        .collect();
    println!(
        "snapshot: held for {} s, {published} events published and relayed; milliseconds of {} claims",
        seconds(),
        claims.len()
    );
    println!(
        "median {:.2}, p99 {:.2}, most {:.2}; looked for from the start: {:.2}",
        quantile(&mut claims, 0.5),
        quantile(&mut claims, 0.99),
        quantile(&mut claims, 1.0),
        quantile(naive, 0.5),
    );
    for (place, third) in thirds.iter_mut().enumerate() {
        third.print(place + 1);
    }
}
