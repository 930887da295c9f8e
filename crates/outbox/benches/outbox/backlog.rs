//! Events a second from backlog to applied and deleted.

use std::{sync::Arc, time::Instant};

use outbox::Database;

use crate::{
    bare,
    effect::Totals,
    setting::{BATCH, database, long_run, number, processor_seconds, publish, quantile, relay},
};

/// Events a second, and events a second of this process's processor time.
struct Rate {
    wall: f64,
    processor: f64,
}

pub(crate) async fn run() {
    println!("backlog: events a second until applied and deleted, batches of {BATCH}");
    println!(
        "{:<12}{:>10}{:>10}{:>8}   {:<18}{:>14}{:>14}",
        "", "ours", "bare", "ratio", "of the rounds", "ours per CPU s", "bare per CPU s"
    );
    for kind in ["postgres", "sqlite"] {
        compare(kind).await;
    }
}

async fn compare(kind: &str) {
    let (rounds, events) = (number("BENCH_ROUNDS", 7), number("BENCH_EVENTS", 50_000));
    let (_database, db) = database(kind).await;
    let relay = relay(&db, Arc::new(Totals(None)));
    let ours = async || relay.run(&long_run()).await.unwrap().delivered;
    let bare = async || bare::relay(&db).await;
    let mut rates: Vec<(Rate, Rate)> = Vec::new();
    // What is prepared on the first use is not what is measured.
    for round in 0..=rounds {
        // By turns the first, which has the room that the other's rows have left.
        let pair = if round % 2 == 0 {
            let ours = measure(&db, events, &ours).await;
            (ours, measure(&db, events, &bare).await)
        } else {
            let bare = measure(&db, events, &bare).await;
            (measure(&db, events, &ours).await, bare)
        };
        if round > 0 {
            rates.push(pair);
        }
    }
    let median = |of: &dyn Fn(&(Rate, Rate)) -> f64| {
        quantile(&mut rates.iter().map(of).collect::<Vec<_>>(), 0.5)
    };
    let mut ratios: Vec<f64> = rates.iter().map(|(a, b)| a.wall / b.wall).collect();
    let ratio = quantile(&mut ratios, 0.5);
    let spread = format!("{:.3} to {:.3}", ratios[0], ratios[ratios.len() - 1]);
    println!(
        "{kind:<12}{:>10.0}{:>10.0}{ratio:>8.3}   {spread:<18}{:>14.0}{:>14.0}",
        median(&|(ours, _)| ours.wall),
        median(&|(_, bare)| bare.wall),
        median(&|(ours, _)| ours.processor),
        median(&|(_, bare)| bare.processor),
    );
}

async fn measure(db: &Database, events: u64, work: impl AsyncFn() -> u64) -> Rate {
    for thousand in 0..events.div_ceil(1000) {
        publish(db, thousand * 1000..events.min((thousand + 1) * 1000)).await;
    }
    let (begun, processor) = (Instant::now(), processor_seconds());
    assert_eq!(work().await, events);
    let rate = |seconds: f64| events as f64 / seconds.max(0.01);
    Rate {
        wall: rate(begun.elapsed().as_secs_f64()),
        processor: rate(processor_seconds() - processor),
    }
}
