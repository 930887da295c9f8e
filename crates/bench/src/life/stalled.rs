use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

use super::{Life, MB, MIB, milliseconds};
use crate::{
    connect::connect,
    error::LoadError,
    figures::{Figures, median},
    payload::Payload,
    process,
    progress::say,
    publisher::Publisher,
    server::STALLED,
};

/// As small as the kernel allows: what it holds is the reader's, not the server's.
const RECEIVE_BUFFER: usize = 1;

/// Of one publish to a stalled reader.
const MESSAGE: usize = 1024;

/// Connections that publish to stalled readers.
const PUBLISHERS: usize = 4;

/// No longer than this: what waits for a stalled reader can make each further publish slower.
const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What the server holds: resident, and in the queues of the kernel.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    resident: u64,
    kernel: u64,
}

impl Held {
    fn sum(self) -> u64 {
        self.resident + self.kernel
    }
}

impl Life<'_> {
    /// Readers that never read, and what they do to the server and to the others.
    pub(super) async fn stalled(&mut self, figures: &mut Figures) -> Result<(), LoadError> {
        if self.args.stalled == 0 {
            return Ok(());
        }
        self.open_up_to(self.args.connections).await?;
        let alone = self.last_of_rounds().await?;
        say(format!("{} stalled readers", self.args.stalled));
        self.readers.look(|tally| tally.gaps = Default::default());
        let before = self.held()?;
        let sockets = self.stall()?;
        let (most, published) = self.fill(before).await?;
        figures.stalled_backlog_mib = Some((published * MESSAGE) as f64 / MIB);
        let each_hundred = 100.0 / self.args.stalled as f64;
        let process = self.server.process;
        let cost = |held: u64, before: u64| {
            process.map(|_| (held as f64 - before as f64) / MB * each_hundred)
        };
        figures.stalled_mb = cost(most.sum(), before.sum());
        figures.stalled_kernel_mb = cost(most.kernel, before.kernel);
        let beside = self.last_of_rounds().await?;
        figures.stalled_delay = beside.zip(alone).map(|(beside, alone)| beside / alone);
        figures.stalled_gap_most_ms = self
            .readers
            .look(|tally| tally.gaps.most().map(milliseconds));
        figures.stalled_reset = Some(self.rid_of(sockets).await as f64);
        figures.stalled_left_mb = cost(self.held()?.sum(), before.sum());
        Ok(())
    }

    async fn last_of_rounds(&mut self) -> Result<Option<f64>, LoadError> {
        let times = self.rounds().await?;
        Ok(median(times.into_iter().map(|(_, last)| last).collect()))
    }

    /// Waits until the server has reset all of them, but not for ever. How many it has.
    async fn rid_of(&self, mut sockets: Vec<TcpStream>) -> usize {
        let all = sockets.len();
        let begun = Instant::now();
        loop {
            sockets.retain(|socket| matches!(socket.take_error(), Ok(None)));
            let waited = begun.elapsed().as_secs_f64();
            if sockets.is_empty() || waited > self.args.stalled_seconds {
                return all - sockets.len();
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn stall(&self) -> Result<Vec<TcpStream>, LoadError> {
        let numbers = STALLED..STALLED + self.args.stalled;
        let wishes = self.server.wishes(numbers);
        wishes
            .iter()
            .enumerate()
            .map(|(number, wish)| connect(wish, number, Some(RECEIVE_BUFFER)))
            .collect::<Result<_, _>>()
            .map_err(LoadError::Talk)
    }

    /// Publishes the backlog to each of them. The most that the server held meanwhile, and how many
    /// messages were published to the one that took the most.
    async fn fill(&self, before: Held) -> Result<(Held, usize), LoadError> {
        let messages = (self.args.stalled_backlog * MIB / MESSAGE as f64) as usize;
        let mut paths: Vec<String> = (STALLED..STALLED + self.args.stalled)
            .map(|number| self.server.publish_path(number))
            .collect();
        paths.dedup();
        let share = paths.len().div_ceil(PUBLISHERS);
        let mut tasks = JoinSet::new();
        for paths in paths.chunks(share) {
            let publisher = Publisher::connect(self.server.address).await?;
            tasks.spawn(publish(publisher, paths.to_vec(), messages));
        }
        let (mut most, mut published) = (before, 0);
        while !tasks.is_empty() {
            while let Some(done) = tasks.try_join_next() {
                let one = done.map_err(|error| LoadError::Machine(error.into()))??;
                published = published.max(one);
            }
            let held = self.held()?;
            if held.sum() > most.sum() {
                most = held;
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok((most, published))
    }

    fn held(&self) -> Result<Held, LoadError> {
        Ok(Held {
            resident: self.resident()?.unwrap_or(0),
            kernel: process::socket_memory()?,
        })
    }
}

/// So many messages to each of these, until the server says that nobody takes them any more. How many it
/// were.
async fn publish(
    mut publisher: Publisher,
    mut paths: Vec<String>,
    messages: usize,
) -> Result<usize, LoadError> {
    let begun = Instant::now();
    let text = Payload::new(MESSAGE).text(0);
    for published in 0..messages {
        if paths.is_empty() || begun.elapsed() > PATIENCE {
            return Ok(published);
        }
        let mut taking = Vec::with_capacity(paths.len());
        for path in paths {
            let answer = publisher.post(&path, &text).await?;
            if serde_json::from_str(&answer).ok().and_then(taken) != Some(0) {
                taking.push(path);
            }
        }
        paths = taking;
    }
    Ok(messages)
}

/// How many streams took it, if the answer says so.
fn taken(answer: Value) -> Option<u64> {
    answer.get("taken")?.as_u64()
}
