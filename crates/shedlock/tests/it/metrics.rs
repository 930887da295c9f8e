//! What is counted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use shedlock::{LockProvider, MemoryLockProvider};

use crate::stage::{MINUTE, lock};

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, u64>>>);

struct Cell(Seen, String);

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        let mut seen = self.0.0.lock().unwrap();
        *seen.entry(self.1.clone()).or_default() += value;
    }

    fn absolute(&self, _: u64) {}
}

/// How often something was measured.
impl HistogramFn for Cell {
    fn record(&self, seconds: f64) {
        assert!((0.0..60.0).contains(&seconds), "{seconds}");
        self.increment(1);
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        Counter::from_arc(Arc::new(Cell(
            self.clone(),
            format!("{}{{{}}}", key.name(), labels.join(",")),
        )))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Cell(self.clone(), key.name().to_owned())))
    }
}

#[test]
fn acquisitions_are_counted_by_their_result_and_their_times_are_measured() {
    let seen = Seen::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    metrics::with_local_recorder(&seen, || {
        runtime.block_on(async {
            let provider = MemoryLockProvider::new("a");
            let config = lock("job", MINUTE, Duration::ZERO);
            let guard = provider.try_lock(&config).await.unwrap().unwrap();
            for _ in 0..2 {
                assert!(provider.try_lock(&config).await.unwrap().is_none());
            }
            guard.unlock().await.unwrap();
            let waited = provider.lock(&config, MINUTE).await.unwrap().unwrap();
            waited.unlock().await.unwrap();
            provider.shut_down(Duration::ZERO).await;
            assert!(provider.try_lock(&config).await.is_err());
        });
    });
    let counted = seen.0.lock().unwrap();
    assert_eq!(counted["shedlock_acquire_total{result=acquired}"], 2);
    assert_eq!(counted["shedlock_acquire_total{result=held}"], 2);
    assert_eq!(counted["shedlock_acquire_total{result=error}"], 1);
    assert_eq!(counted["shedlock_wait_seconds"], 1);
    assert_eq!(counted["shedlock_hold_seconds"], 2);
}
