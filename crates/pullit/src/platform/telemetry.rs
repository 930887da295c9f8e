//! Log lines to standard error, metrics to whoever asks.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use super::config::LogConfig;

/// PostgreSQL notes at every start that each table exists already.
const QUIET: &str = "sqlx::postgres::notice=warn";

/// How often histograms are summed up.
const SUM_UP: Duration = Duration::from_secs(5);

/// Starts logging to standard error (standard output belongs to the commands' answers). A second call changes nothing.
pub fn log(config: &LogConfig) {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.filter))
        .unwrap_or_else(|_| EnvFilter::new(format!("{QUIET},info")));
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails when a subscriber is set already: the tests start many servers in one process.
    let _already_set = match config.format.as_str() {
        "json" => lines.json().flatten_event(true).try_init(),
        _ => lines.with_ansi(false).try_init(),
    };
}

/// The process-wide metrics recorder, started on first use, and the handle that renders it.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Fails where the program that we are part of has a recorder already; ours then stays empty.
            let _already_set = ::metrics::set_global_recorder(recorder);
            handle
        })
        .clone()
}

/// Sums up the histograms every few seconds, until cancelled: between two times they keep each single measurement, and nobody may ever ask
/// for the metrics.
pub async fn sum_up(cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(SUM_UP);
    while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics().run_upkeep();
    }
}
