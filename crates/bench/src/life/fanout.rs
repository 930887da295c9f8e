//! Publishes to all readers at once.

use std::time::Duration;

use tokio::time::sleep;

use super::{KIB, Life, REST};
use crate::{
    error::LoadError,
    figures::{Figures, median},
    process,
    progress::say,
};

/// Between two publishes.
const PAUSE: Duration = Duration::from_millis(200);

impl Life<'_> {
    /// One publish to all, over and over.
    pub(super) async fn fanout(&mut self, figures: &mut Figures) -> Result<(), LoadError> {
        let kernel = process::socket_memory()?;
        self.open_up_to(self.args.fanout()).await?;
        figures.idle_kib = self.resident_each()?;
        let kernel = process::socket_memory()?.saturating_sub(kernel);
        figures.idle_kernel_kib = Some(kernel as f64 / KIB / self.open as f64);

        say(format!(
            "{} publishes to all {}",
            self.args.rounds, self.open
        ));
        let events = || self.readers.look(|tally| tally.events);
        let (events_before, processor_before) = (events(), self.processor()?);
        let times = self.rounds(self.args.rounds).await?;
        sleep(REST).await;
        let events = self.readers.look(|tally| tally.events) - events_before;
        figures.delivery_us = self
            .processor()?
            .zip(processor_before)
            .map(|(after, before)| (after - before) * 1e6 / events as f64);
        figures.published_kib = self.resident_each()?;
        let (first, last) = times.into_iter().unzip();
        figures.first_ms = median(first);
        figures.last_ms = median(last);
        Ok(())
    }

    /// The times of the first and the last reader, of so many publishes.
    pub(super) async fn rounds(&mut self, count: usize) -> Result<Vec<(f64, f64)>, LoadError> {
        let mut times = Vec::new();
        for _ in 0..count {
            times.push(self.broadcast().await?);
            sleep(PAUSE).await;
        }
        Ok(times)
    }
}
