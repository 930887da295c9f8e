//! What the worker counts. Every label has a handful of values: words of this crate, and the codes of failures.

use std::time::Duration;

use metrics::Gauge;

use question_maker::{GeneratedQuestion, GenerationError};

/// Work that is being done, until this is dropped.
pub(super) struct InFlight(Gauge);

pub(super) fn in_flight() -> InFlight {
    let gauge = metrics::gauge!("question_generation_in_flight");
    gauge.increment(1.0);
    InFlight(gauge)
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// A delivery, by what became of it.
pub(super) fn delivery(outcome: &'static str) {
    metrics::counter!("question_generation_deliveries_total", "outcome" => outcome).increment(1);
}

/// The end of an attempt that was asked for so long ago: the word for it.
pub(super) fn attempt(
    generated: &Result<Vec<GeneratedQuestion>, GenerationError>,
    kept: bool,
    waited: Duration,
) -> &'static str {
    let outcome = match generated {
        _ if !kept => "dropped",
        Ok(_) => "complete",
        Err(error) => {
            metrics::counter!("question_generation_failures_total", "reason" => error.code())
                .increment(1);
            "failed"
        }
    };
    metrics::counter!("question_generations_total", "outcome" => outcome).increment(1);
    if kept {
        metrics::histogram!("question_generation_request_to_result_seconds", "outcome" => outcome)
            .record(waited.as_secs_f64());
    }
    outcome
}
