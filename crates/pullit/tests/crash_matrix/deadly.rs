//! A process that kills itself where the plan says.

use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::plan::Death;

const STEPS: &str = "outbox::step";

/// Logs to standard error, and dies when the time has come.
pub(crate) fn install(death: Option<Death>) {
    let steps = Targets::new().with_target(STEPS, LevelFilter::TRACE);
    let lines = fmt::layer()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .with_filter(EnvFilter::new("warn,sqlx::postgres::notice=error"));
    let deadly = death.map(|death| Deadly {
        step: death.step,
        left: AtomicU32::new(death.n),
    });
    tracing_subscriber::registry()
        .with(deadly.with_filter(steps))
        .with(lines)
        .init();
}

struct Deadly {
    step: String,
    left: AtomicU32,
}

impl<S: Subscriber> Layer<S> for Deadly {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said {
            step: &self.step,
            found: false,
        };
        event.record(&mut said);
        if said.found && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }
}

struct Said<'a> {
    step: &'a str,
    found: bool,
}

impl Visit for Said<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.found |= field.name() == "step" && value == self.step;
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
