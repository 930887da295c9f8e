//! Memory over many publishes.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::{Life, milliseconds};
use crate::{
    error::LoadError, figures::Figures, histogram::Histogram, progress::say, server::Keys,
};

/// Between two publishes to all, and two looks at the memory.
const STEP: Duration = Duration::from_secs(5);

/// Publishes to one reader each, in one step: over ten minutes a hundred and twenty thousand, of which each would show
/// if it left a hundred bytes behind.
const TARGETED: usize = 1_000;

/// A server that has grown to this ends the soak: the machine is not only ours.
const TOO_MUCH: u64 = 6 << 30;

/// What was so when the soak began.
struct Start {
    at: Instant,
    processor: Option<f64>,
    resident_each: Option<f64>,
}

impl Life<'_> {
    /// Heartbeats and publishes for minutes.
    pub(super) async fn soak(&mut self, figures: &mut Figures) -> Result<(), LoadError> {
        self.open_up_to(self.args.connections).await?;
        say(format!(
            "{} minutes of heartbeats and publishes",
            self.minutes
        ));
        // A first round, so that growth is not what a first publish costs once.
        self.broadcast().await?;
        self.readers
            .look(|tally| tally.latencies = Histogram::default());
        let start = Start {
            at: self.watch_beats(),
            processor: self.processor()?,
            resident_each: self.resident_each()?,
        };
        let end = Duration::from_secs_f64(self.minutes * 60.0);
        let mut ticks = interval(STEP.min(end));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut chosen, mut sent) = (0, 0);
        while start.at.elapsed() < end {
            ticks.tick().await;
            self.broadcast().await?;
            if self.keys == Keys::Own {
                for _ in 0..TARGETED {
                    chosen = self.another(chosen);
                    self.publish_to(chosen).await?;
                }
                sent += TARGETED as u64;
            }
            self.note(&start, figures)?;
            if self.resident()?.is_some_and(|resident| resident > TOO_MUCH) {
                say("the soak ends early: the server has grown too much");
                break;
            }
        }
        self.arrival_of(sent).await
    }

    /// After every step, so that a server that breaks down later has figures all the same.
    fn note(&self, start: &Start, figures: &mut Figures) -> Result<(), LoadError> {
        let seconds = start.at.elapsed().as_secs_f64();
        figures.soak_minutes = Some(seconds / 60.0);
        let each = self.resident_each()?;
        figures.soak_most_kib =
            each.map(|each| f64::max(each, figures.soak_most_kib.unwrap_or(each)));
        figures.soak_growth_kib = each
            .zip(start.resident_each)
            .map(|(each, first)| each - first);
        figures.soak_core_percent = self
            .processor()?
            .zip(start.processor)
            .map(|(after, before)| (after - before) / seconds * 100.0);
        figures.missing_beats = Some(self.missing_beats(start.at));
        self.readers.look(|tally| {
            let gaps = &tally.gaps;
            figures.gap_least_ms = gaps.least().map(milliseconds);
            figures.gap_median_ms = gaps.quantile(0.5).map(milliseconds);
            figures.gap_p99_ms = gaps.quantile(0.99).map(milliseconds);
            figures.gap_most_ms = gaps.most().map(milliseconds);
        });
        Ok(())
    }

    async fn publish_to(&mut self, reader: usize) -> Result<(), LoadError> {
        let text = self.payload.text(self.clock.now());
        let path = self.server.publish_path(reader);
        let answer = self.publisher.post(&path, &text).await?;
        self.server.reached(&answer, 1)
    }

    /// A reader far from the one before, so that all have their turn.
    pub(super) fn another(&self, before: usize) -> usize {
        (before + 7_919) % self.open
    }
}
