//! How far something has come, on standard error: a live line on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scheduler::{Event, Run, RunNowError, Scheduler};
use tokio::sync::broadcast::error::RecvError;

/// Where nobody watches, a line this often is enough.
const EVERY: Duration = Duration::from_secs(5);

/// Rate and estimate, from the first word of progress on: what was done before (an earlier attempt) says nothing of our speed.
#[derive(Debug, Default)]
struct Pace {
    first: Option<(Duration, u64)>,
}

impl Pace {
    /// `done` of `total` (0 when unknown) at this time, in words.
    fn words(&mut self, at: Duration, done: u64, total: u64) -> String {
        let (since, before) = *self.first.get_or_insert((at, done));
        let mut words = grouped(done);
        if total > 0 {
            let percent = u128::from(done) * 100 / u128::from(total);
            words = format!("{words} of {} ({percent} %)", grouped(total));
        }
        let seconds = at.saturating_sub(since).as_secs_f64();
        let moved = done.saturating_sub(before);
        if seconds > 0.0 && moved > 0 {
            let rate = moved as f64 / seconds;
            words = format!("{words}, {} a second", grouped(rate as u64));
            if total > done {
                let left = (total - done) as f64 / rate;
                words = format!("{words}, about {} left", span(left));
            }
        }
        words
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut words = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    words
}

fn span(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Shows progress.
pub(super) struct Meter {
    what: String,
    began: Instant,
    pace: Pace,
    said: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// Of something with this name.
    pub(super) fn new(what: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template(" {spinner} {msg}");
            // The template is the constant above.
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self {
            what: what.to_owned(),
            began: Instant::now(),
            pace: Pace::default(),
            said: None,
            bar,
        }
    }

    /// So much is done.
    pub(super) fn show(&mut self, done: u64, total: u64) {
        let words = self.pace.words(self.began.elapsed(), done, total);
        let line = format!("{}: {words}", self.what);
        if let Some(bar) = &self.bar {
            bar.set_message(line);
        } else if self.said.is_none_or(|said| said.elapsed() >= EVERY) {
            self.said = Some(Instant::now());
            let _reader_gone = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Runs a job in this process to its end, and shows how far it has come meanwhile.
pub(super) async fn watched(scheduler: &Scheduler, name: &str) -> Result<Run, RunNowError> {
    let mut events = scheduler.events();
    let mut running = std::pin::pin!(scheduler.run_now(name));
    let mut meter = None;
    loop {
        let event = tokio::select! {
            ended = &mut running => return ended,
            event = events.recv() => event,
        };
        match event {
            Ok(Event::Progressed { job, progress, .. }) if job == name => meter
                .get_or_insert_with(|| Meter::new(name))
                .show(progress.done, progress.total),
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return running.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_and_the_estimate_are_of_what_this_run_does() {
        let mut pace = Pace::default();
        let at = Duration::from_secs;
        // An earlier attempt did the first half.
        assert_eq!(
            pace.words(at(1), 1_000_000, 2_000_000),
            "1,000,000 of 2,000,000 (50 %)"
        );
        assert_eq!(
            pace.words(at(3), 1_050_000, 2_000_000),
            "1,050,000 of 2,000,000 (52 %), 25,000 a second, about 38 s left"
        );
        assert_eq!(
            pace.words(at(41), 2_000_000, 2_000_000),
            "2,000,000 of 2,000,000 (100 %), 25,000 a second"
        );
    }

    #[test]
    fn without_a_total_there_is_a_rate_and_no_estimate() {
        let mut pace = Pace::default();
        pace.words(Duration::ZERO, 0, 0);
        assert_eq!(
            pace.words(Duration::from_secs(2), 999, 0),
            "999, 499 a second"
        );
    }

    #[test]
    fn a_long_wait_is_told_in_hours() {
        assert_eq!(span(0.2), "1 s");
        assert_eq!(span(61.0), "1 min 1 s");
        assert_eq!(span(2.5 * 3600.0), "2 h 30 min");
    }
}
