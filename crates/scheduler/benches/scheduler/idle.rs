//! Memory and processor time of jobs that are not due.

use std::time::Duration;

use chrono::{Datelike, TimeDelta, Utc};
use scheduler::testkit::Signals;
use scheduler::{Event, Job, Misfire, Scheduler, Trigger};

use crate::{child, database, locks, number};

/// A few distinct expressions, all of them days away.
fn trigger(n: usize) -> Trigger {
    let day = (Utc::now() + TimeDelta::days(3)).weekday();
    Trigger::cron(
        &format!("0 {} 12 * * {day}", n % 10),
        chrono_tz::Asia::Seoul,
    )
    .unwrap()
}

pub(crate) async fn run(what: &str, kind: &str) {
    let (_database, db) = database(kind).await;
    let (count, misfire) = match what {
        "empty" => (0, Misfire::Skip),
        "skip" => (number("BENCH_JOBS", 10_000), Misfire::Skip),
        _ => (number("BENCH_JOBS", 10_000), Misfire::RunOnce),
    };
    let jobs = (0..count).map(|n| {
        Job::builder(format!("job-{n}"), trigger(n))
            .misfire(misfire)
            .run(|_| async { Ok(0) })
    });
    let scheduler = Scheduler::builder()
        .cluster_locks(locks(&db))
        .database(db)
        .node_id("bench")
        .jobs(jobs)
        .build()
        .unwrap();
    let mut signals = Signals::of(&scheduler);
    let running = scheduler.start().await.unwrap();
    for _ in 0..2 {
        signals
            .next("a scan for dead runs", |event| {
                matches!(event, Event::Scanned).then_some(())
            })
            .await;
    }
    let before = processor();
    let time = Duration::from_secs(number("BENCH_SECONDS", 10) as u64);
    tokio::time::sleep(time).await;
    let share = (processor() - before) as f64 / time.as_nanos() as f64;
    println!("{} {share}", resident());
    drop(running);
}

/// Kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

/// Nanoseconds that the threads of this process have spent on processors.
fn processor() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let spent = tasks.map(|task| {
        let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        let first: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
        first
    });
    spent.sum()
}

pub(crate) fn report(kind: &str) {
    let measure = |what| -> (f64, f64) {
        let words = child(&[what, kind]);
        (words[0].parse().unwrap(), words[1].parse().unwrap())
    };
    let (empty, idle) = measure("empty");
    println!(
        "{kind}: empty scheduler: {:.1} MiB, {:.3} % of a core",
        empty / 1024.0,
        idle * 100.0
    );
    for what in ["skip", "run-once"] {
        let (memory, share) = measure(what);
        println!(
            "{kind}: {} idle cron jobs ({what}): {:.1} MiB above an empty scheduler (limit 20), {:.3} % of a core (limit 1)",
            number("BENCH_JOBS", 10_000),
            (memory - empty) / 1024.0,
            share * 100.0,
        );
    }
}
