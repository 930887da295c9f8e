//! Two ways of doing the same, in turns.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use shedlock::{LockConfiguration, LockProvider};

/// How many rounds, and how long each is.
pub(crate) struct Rounds {
    count: usize,
    length: Duration,
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// The lock of one task: no two tasks meet.
pub(crate) fn lock(task: usize) -> LockConfiguration {
    let name = format!("bench-{task}");
    LockConfiguration::new(name, Duration::from_secs(60), Duration::ZERO).expect("a valid lock")
}

/// One cycle of ours.
pub(crate) async fn cycle(provider: &dyn LockProvider, lock: &LockConfiguration) {
    let guard = provider.try_lock(lock).await.expect("an answer");
    let guard = guard.expect("nobody else wants it");
    guard.unlock().await.expect("an unlock");
}

impl Rounds {
    pub(crate) fn from_environment() -> Self {
        Self {
            count: usize::try_from(number("BENCH_ROUNDS", 7))
                .unwrap_or(7)
                .max(1),
            length: Duration::from_millis(number("BENCH_MILLIS", 1_000)),
        }
    }

    pub(crate) fn head(&self) {
        println!(
            "lock + unlock cycles a second; median of {} rounds of {:?} each",
            self.count, self.length
        );
        println!(
            "{:<34}{:>6}{:>12}{:>12}{:>9}   ratio of the rounds",
            "provider", "tasks", "ours", "raw", "ratio"
        );
    }

    /// Compares; `ours` and `raw` make the endless work of task `n` from its number.
    pub(crate) async fn compare<A, B>(
        &self,
        name: &str,
        tasks: usize,
        ours: impl Fn(usize, Counter) -> A,
        raw: impl Fn(usize, Counter) -> B,
    ) where
        A: Future<Output = ()> + Send + 'static,
        B: Future<Output = ()> + Send + 'static,
    {
        // What is prepared on the first use is not what is measured.
        self.one(tasks, &ours).await;
        self.one(tasks, &raw).await;
        let mut rates = Vec::new();
        for _ in 0..self.count {
            rates.push((self.one(tasks, &ours).await, self.one(tasks, &raw).await));
        }
        let mut ratios: Vec<f64> = rates.iter().map(|(ours, raw)| ours / raw).collect();
        let ratio = median(&mut ratios);
        println!(
            "{name:<34}{tasks:>6}{:>12.0}{:>12.0}{ratio:>9.3}   {:.3} to {:.3}",
            median(&mut rates.iter().map(|rate| rate.0).collect::<Vec<_>>()),
            median(&mut rates.iter().map(|rate| rate.1).collect::<Vec<_>>()),
            ratios[0],
            ratios[ratios.len() - 1],
        );
    }

    /// Without a peer.
    pub(crate) async fn alone<A>(
        &self,
        name: &str,
        tasks: usize,
        ours: impl Fn(usize, Counter) -> A,
    ) where
        A: Future<Output = ()> + Send + 'static,
    {
        self.one(tasks, &ours).await;
        let mut rates = Vec::new();
        for _ in 0..self.count {
            rates.push(self.one(tasks, &ours).await);
        }
        println!("{name:<34}{tasks:>6}{:>12.0}", median(&mut rates));
    }

    async fn one<F>(&self, tasks: usize, work: &impl Fn(usize, Counter) -> F) -> f64
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let over = Arc::new(AtomicBool::new(false));
        let counters: Vec<_> = (0..tasks).map(|_| Counter::new(over.clone())).collect();
        let begun = Instant::now();
        let running: Vec<_> = counters
            .iter()
            .enumerate()
            .map(|(task, counter)| tokio::spawn(work(task, counter.clone())))
            .collect();
        tokio::time::sleep(self.length).await;
        over.store(true, Ordering::Relaxed);
        for task in running {
            task.await.expect("a task that ends well");
        }
        let cycles: u64 = counters.iter().map(Counter::cycles).sum();
        cycles as f64 / begun.elapsed().as_secs_f64()
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Counts the cycles of one task, and says when to stop.
#[derive(Clone)]
pub(crate) struct Counter {
    over: Arc<AtomicBool>,
    cycles: Arc<std::sync::atomic::AtomicU64>,
}

impl Counter {
    fn new(over: Arc<AtomicBool>) -> Self {
        Self {
            over,
            cycles: Arc::default(),
        }
    }

    fn cycles(&self) -> u64 {
        self.cycles.load(Ordering::Relaxed)
    }

    /// A cycle was made: another one?
    pub(crate) fn again(&self) -> bool {
        self.cycles.fetch_add(1, Ordering::Relaxed);
        !self.over.load(Ordering::Relaxed)
    }
}
