//! Metrics, for whoever asks.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio_util::sync::CancellationToken;

use super::log;

/// How often histograms are summed up.
const SUM_UP: Duration = Duration::from_secs(5);

/// Upper bounds of the buckets of every measured time: from a statement in the database to an outage.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 900.0,
];

/// The process-wide metrics recorder, started on first use, and the handle that renders it.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = recorder();
            let handle = recorder.handle();
            // Fails where the program that we are part of has a recorder already; ours then stays empty.
            let _already_set = ::metrics::set_global_recorder(recorder);
            handle
        })
        .clone()
}

/// Times are histograms and not summaries: those of several nodes can be added up.
fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
        // Fails for an empty list only.
        .unwrap_or_default()
        .build_recorder()
}

/// Sums up the histograms every few seconds, until cancelled: between two times they keep each single measurement, and nobody may ever ask
/// for the metrics.
pub async fn sum_up(cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(SUM_UP);
    let mut said = 0;
    while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics().run_upkeep();
        log::report(&mut said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_times_are_counted_in_buckets() {
        let recorder = recorder();
        let rendered = ::metrics::with_local_recorder(&recorder, || {
            for seconds in [0.003, 0.2, 700.0] {
                ::metrics::histogram!("a_seconds", "type" => "A").record(seconds);
            }
            recorder.handle().render()
        });
        for line in [
            "# TYPE a_seconds histogram",
            "a_seconds_bucket{type=\"A\",le=\"0.0025\"} 0",
            "a_seconds_bucket{type=\"A\",le=\"0.005\"} 1",
            "a_seconds_bucket{type=\"A\",le=\"0.25\"} 2",
            "a_seconds_bucket{type=\"A\",le=\"900\"} 3",
            "a_seconds_count{type=\"A\"} 3",
        ] {
            assert!(
                rendered.lines().any(|text| text == line),
                "{line}: {rendered}"
            );
        }
    }
}
