//! How late jobs start that are due in one second.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use scheduler::{Clock, Job, Scheduler, SystemClock, Trigger};

use crate::{child, database, locks, number};

/// Seconds between rounds.
pub(crate) const EVERY: i64 = 2;

/// A clock that notes how late the timer was at the slots.
#[derive(Debug)]
struct Watched {
    fired: Arc<Mutex<Vec<TimeDelta>>>,
}

impl Clock for Watched {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now()
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> futures::future::BoxFuture<'static, ()> {
        let (sleep, fired) = (SystemClock.sleep_until(t), self.fired.clone());
        Box::pin(async move {
            sleep.await;
            if t.timestamp_subsec_micros() == 0 && t.timestamp() % EVERY == 0 {
                fired.lock().unwrap().push(Utc::now() - t);
            }
        })
    }
}

pub(crate) async fn run(kind: &str) {
    let (_database, db) = database(kind).await;
    let (due, rounds) = (number("BENCH_DUE", 100), number("BENCH_ROUNDS", 10));
    let (entered, mut entries) = tokio::sync::mpsc::unbounded_channel();
    let trigger = Trigger::cron(&format!("*/{EVERY} * * * * *"), chrono_tz::UTC).unwrap();
    let jobs = (0..due).map(|n| {
        let entered = entered.clone();
        Job::builder(format!("job-{n}"), trigger.clone()).run(move |context| {
            let _ = entered.send((context.slot(), Utc::now() - context.slot()));
            async { Ok(0) }
        })
    });
    let fired = Arc::new(Mutex::new(Vec::new()));
    let scheduler = Scheduler::builder()
        .cluster_locks(locks(&db))
        .database(db)
        .clock(Arc::new(Watched {
            fired: fired.clone(),
        }))
        .node_id("bench")
        .jobs(jobs)
        .build()
        .unwrap();
    let _running = scheduler.start().await.unwrap();
    // The first two rounds open connections and prepare statements.
    let first = Utc::now() + TimeDelta::seconds(2 * EVERY);
    let mut late = Vec::new();
    while late.len() < due * rounds {
        let (slot, lateness) = entries.recv().await.unwrap();
        if slot > first {
            late.push(lateness);
        }
    }
    let fired = fired.lock().unwrap().split_off(2);
    println!("{} {}", percentiles(late), percentiles(fired));
}

/// Median, 99th percentile and maximum in milliseconds.
pub(crate) fn percentiles(mut late: Vec<TimeDelta>) -> String {
    late.sort();
    let at = |percent: usize| {
        let index = (late.len() * percent / 100).min(late.len() - 1);
        late[index].num_microseconds().unwrap() as f64 / 1000.0
    };
    format!("{:.2} {:.2} {:.2}", at(50), at(99), at(100))
}

pub(crate) fn report(kind: &str) {
    let ours = child(&["late", kind]);
    let bare = child(&["bare", kind]);
    let show = |what: &str, words: &[String]| {
        println!(
            "{kind}: {what}: p50 {} ms, p99 {} ms, max {} ms late",
            words[0], words[1], words[2]
        );
    };
    let due = number("BENCH_DUE", 100);
    show(
        &format!("{due} jobs due in one second, fired (the timer starts a task for each)"),
        &ours[3..],
    );
    show(
        &format!("{due} jobs due in one second, in the job's function (lock taken, row committed)"),
        &ours,
    );
    show(
        &format!("{due} bare timers and the statements of a claim each"),
        &bare,
    );
    let of = |words: &[String]| -> f64 { words[1].parse().unwrap() };
    println!(
        "{kind}: p99 in the job's function is {:.2} of the bare one",
        of(&ours) / of(&bare)
    );
}
