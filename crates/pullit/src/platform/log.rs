//! Log lines to standard error. One that cannot be written is dropped and counted: nothing else may happen for a log's sake.
//!
//! A thread of its own writes them, behind a queue with a bound. So neither a full disk nor a reader that does not read holds up a request.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use super::config::LogConfig;

/// PostgreSQL notes at every start that each table exists already.
const QUIET: &str = "sqlx::postgres::notice=warn";

/// Lines that wait to be written. With more, new ones are dropped.
const QUEUE: usize = 10_000;

/// Lines that standard error did not take.
static UNWRITTEN: AtomicU64 = AtomicU64::new(0);
/// Whether it took the last one.
static WRITES: AtomicBool = AtomicBool::new(true);
/// Counts lines that the queue did not take.
static OVERFLOW: OnceLock<ErrorCounter> = OnceLock::new();
/// Dropped, it waits for what is in the queue.
static GUARD: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Starts logging to standard error (standard output belongs to the commands' answers). A second call changes nothing.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.filter))
        .unwrap_or_else(|_| EnvFilter::new(format!("{QUIET},info")));
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE)
        .thread_name("log")
        .finish(Dropping(io::stderr()));
    let overflow = writer.error_counter();
    let lines = fmt().with_env_filter(filter).with_writer(writer);
    // Fails when a subscriber is set already: the tests start many servers in one process.
    let set = match config.format.as_str() {
        "json" => lines.json().flatten_event(true).try_init(),
        _ => lines.with_ansi(false).try_init(),
    };
    if set.is_ok() {
        let _only_once = OVERFLOW.set(overflow);
        *GUARD.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    }
}

/// Writes what is still in the queue, for a second at most. Later lines are dropped.
pub fn finish() {
    let guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(guard);
}

/// How many lines were dropped since the start.
pub fn dropped() -> u64 {
    let overflow = OVERFLOW
        .get()
        .map_or(0, |lines| lines.dropped_lines() as u64);
    UNWRITTEN.load(Ordering::Relaxed) + overflow
}

/// Says that lines are missing, once lines can be written again. `said` is the number that was said before.
pub(super) fn report(said: &mut u64) {
    let dropped = dropped();
    metrics::counter!("log_lines_dropped_total").absolute(dropped);
    if dropped > *said && WRITES.load(Ordering::Relaxed) {
        let lines = dropped - *said;
        *said = dropped;
        tracing::warn!(lines, "log lines are missing: they could not be written");
    }
}

/// Never fails.
struct Dropping<W>(W);

impl<W: Write> Write for Dropping<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.0.write_all(line).is_ok();
        WRITES.store(written, Ordering::Relaxed);
        if !written {
            UNWRITTEN.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _counted_by_the_next_line = self.0.flush();
        Ok(())
    }
}
