//! How soon an effect follows its publish when the relay has nothing to do and is woken by the publisher's signal.

use std::{sync::Arc, time::Instant};

use outbox::Signal;
use tokio::sync::mpsc;

use crate::{
    effect::Totals,
    setting::{database, long_run, number, publish, quantile, relay},
};

pub(crate) async fn run() {
    println!("latency: milliseconds from the begin of a publish to the commit of its effect");
    println!("{:<12}{:>10}{:>10}{:>10}", "", "median", "p99", "most");
    for kind in ["postgres", "sqlite"] {
        measure(kind).await;
    }
}

async fn measure(kind: &str) {
    let (database, db) = database(kind).await;
    let (said, mut took_effect) = mpsc::unbounded_channel();
    let relay = relay(&db, Arc::new(Totals(Some(said))));
    let signal = Signal::new();
    let relaying = tokio::spawn({
        let signal = signal.clone();
        async move {
            loop {
                signal.notified().await;
                relay.run(&long_run()).await.unwrap();
            }
        }
    });
    let publisher = match kind {
        // As the service has it: the one writer of the process.
        "sqlite" => db.clone(),
        _ => database.connect().await,
    };
    let mut latencies = Vec::new();
    for n in 0..number("BENCH_SAMPLES", 300) + 10 {
        let begun = Instant::now();
        publish(&publisher, n..=n).await;
        signal.notify();
        took_effect.recv().await.unwrap();
        // The first ones open connections and prepare statements.
        if n >= 10 {
            latencies.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    relaying.abort();
    println!(
        "{kind:<12}{:>10.2}{:>10.2}{:>10.2}",
        quantile(&mut latencies, 0.5),
        quantile(&mut latencies, 0.99),
        quantile(&mut latencies, 1.0),
    );
}
