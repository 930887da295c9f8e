//! Many tasks at once.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use shedlock::LockGuard;

use crate::stage::{MINUTE, Stage, lock};

pub(super) async fn eight_tasks_on_two_names_never_meet(stage: impl Stage) {
    let providers = [stage.provider("a"), stage.provider("b")];
    eight_tasks(|task, name, counters| {
        let provider = providers[task / 2 % 2].clone();
        async move {
            let config = lock(name, MINUTE, Duration::ZERO);
            for _ in 0..100 {
                let guard = provider.lock(&config, 2 * MINUTE).await.unwrap().unwrap();
                counters.count(task, guard).await;
            }
        }
    })
    .await;
}

/// Two counters that only the locks protect.
pub(crate) struct Counters([AtomicU64; 2]);

impl Counters {
    /// A read and a write with a pause between, then the unlock.
    pub(crate) async fn count(&self, task: usize, guard: LockGuard) {
        let counter = &self.0[task % 2];
        let seen = counter.load(Ordering::Relaxed);
        tokio::task::yield_now().await;
        counter.store(seen + 1, Ordering::Relaxed);
        guard.unlock().await.unwrap();
    }
}

/// Eight tasks, every other on the same name, that each count a hundred times.
pub(crate) async fn eight_tasks<F>(task: impl Fn(usize, &'static str, Arc<Counters>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let counters = Arc::new(Counters([AtomicU64::new(0), AtomicU64::new(0)]));
    let tasks: Vec<_> = (0..8)
        .map(|n| tokio::spawn(task(n, ["even", "odd"][n % 2], counters.clone())))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let [even, odd] = &counters.0;
    assert_eq!(even.load(Ordering::Relaxed), 400);
    assert_eq!(odd.load(Ordering::Relaxed), 400);
}
