//! Publishes to one reader each.

use std::time::{Duration, Instant};

use tokio::{task::JoinSet, time::sleep};

use super::{Life, milliseconds};
use crate::{
    error::LoadError,
    figures::Figures,
    histogram::Histogram,
    payload::{Clock, Payload},
    progress::say,
    publisher::Publisher,
    server::Answers,
};

/// Connections that publish, in turn: one that waits for its answer does not hold up the next publish.
const PUBLISHERS: usize = 8;

/// Until everything that was published must have arrived.
const ARRIVAL: Duration = Duration::from_secs(10);

impl Life<'_> {
    /// Publishes to one reader each, at a steady rate.
    pub(super) async fn targeted(&mut self, figures: &mut Figures) -> Result<(), LoadError> {
        self.open_up_to(self.args.connections).await?;
        let (rate, seconds) = (self.args.targeted_rate, self.args.targeted_seconds);
        say(format!("{rate} publishes a second to one reader each"));
        self.readers
            .look(|tally| tally.latencies = Histogram::default());
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for first in 0..PUBLISHERS {
            let mut publisher = Publisher::connect(self.server.address).await?;
            let paths = self.paths(first, (rate * seconds) as usize);
            let (clock, payload) = (self.clock, self.payload.clone());
            let server = self.server.answers();
            tasks.spawn(async move {
                let pace = Pace { begun, first, rate };
                pace.publish(&mut publisher, &paths, clock, &payload, server)
                    .await
            });
        }
        let mut sent = 0;
        while let Some(done) = tasks.join_next().await {
            sent += done.map_err(|error| LoadError::Machine(error.into()))??;
        }
        let reached = sent as f64 / begun.elapsed().as_secs_f64();
        figures.targeted_rate = Some(reached);
        figures.targeted_share = Some(reached / rate * 100.0);
        self.arrival_of(sent).await?;
        self.readers.look(|tally| {
            let latencies = &tally.latencies;
            figures.targeted_median_ms = latencies.quantile(0.5).map(milliseconds);
            figures.targeted_p99_ms = latencies.quantile(0.99).map(milliseconds);
            figures.targeted_most_ms = latencies.most().map(milliseconds);
        });
        figures.to_socket_p99_ms = self.socket_p99(sent).await?;
        Ok(())
    }

    /// Those of one publisher, who takes every so-many-th turn.
    fn paths(&self, first: usize, count: usize) -> Vec<String> {
        let mut reader = 0;
        let mut paths = Vec::new();
        for turn in 0..count {
            reader = self.another(reader);
            if turn % PUBLISHERS == first {
                paths.push(self.server.publish_path(reader));
            }
        }
        paths
    }

    pub(super) async fn arrival_of(&self, sent: u64) -> Result<(), LoadError> {
        let begun = Instant::now();
        loop {
            let arrived = self.readers.look(|tally| tally.latencies.count());
            if arrived >= sent {
                return Ok(());
            }
            if begun.elapsed() > ARRIVAL {
                return Err(LoadError::Missing { sent, arrived });
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// As the server measured it, if it measured these publishes and no others.
    async fn socket_p99(&mut self, sent: u64) -> Result<Option<f64>, LoadError> {
        let Some(stats) = self.server.stats(&mut self.publisher).await? else {
            return Ok(None);
        };
        let micros = &stats["publishToSocketMicros"];
        if micros["count"].as_u64() != Some(sent) {
            say("the server measured other publishes than these");
            return Ok(None);
        }
        Ok(micros["p99"].as_f64().map(|micros| micros / 1e3))
    }
}

/// When a publisher has its turns.
struct Pace {
    begun: Instant,
    first: usize,
    rate: f64,
}

impl Pace {
    async fn publish(
        &self,
        publisher: &mut Publisher,
        paths: &[String],
        clock: Clock,
        payload: &Payload,
        server: Answers,
    ) -> Result<u64, LoadError> {
        for (count, path) in paths.iter().enumerate() {
            let turn = (count * PUBLISHERS + self.first) as f64;
            let at = self.begun + Duration::from_secs_f64(turn / self.rate);
            tokio::time::sleep_until(at.into()).await;
            let text = payload.text(clock.now());
            let answer = publisher.post(path, &text).await?;
            server.reached(&answer, 1)?;
        }
        Ok(paths.len() as u64)
    }
}
