//! Readers that stop reading, and whom they delay.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

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
    server::{Answers, STALLED},
};

/// As small as the kernel allows: what it holds is the reader's, not the server's.
const RECEIVE_BUFFER: usize = 1;

/// Of one publish to a stalled reader.
const MESSAGE: usize = 1024;

/// Messages to each before it is measured whom it delays: more than their sockets take, and fewer than any server
/// keeps waiting for a stream, by more than the rounds and heartbeats meanwhile.
const BEGINNING: usize = 40;

/// Publishes to all whose time is taken with them and without, at most.
const ROUNDS: usize = 15;

/// Connections that publish to stalled readers.
const PUBLISHERS: usize = 4;

/// No longer than this: what waits for a stalled reader can make each further publish slower.
const TIMEOUT: Duration = Duration::from_secs(60);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a server says that it did.
#[derive(Debug, Clone, Copy)]
struct Served {
    /// Events that sockets took; publishes to all aside.
    events: u64,
    /// Streams that it ended because their readers did not read.
    ended: u64,
}

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
        let since = self.watch_beats();
        let before = self.held()?;
        let sockets = self.stall()?;
        self.all_subscribed().await?;
        let served = self.served().await?;
        let (mut most, begun) = self.fill(BEGINNING, before).await?;
        let beside = self.last_of_rounds().await?;
        if self.stalls_all(served, begun).await? {
            figures.stalled_delay = beside.zip(alone).map(|(beside, alone)| beside / alone);
        }
        let messages = (self.args.stalled_backlog * MIB / MESSAGE as f64) as usize;
        let (later, published) = self.fill(messages, before).await?;
        if later.sum() > most.sum() {
            most = later;
        }
        figures.stalled_backlog_mib = Some(((begun + published) * MESSAGE) as f64 / MIB);
        let each_hundred = 100.0 / self.args.stalled as f64;
        let process = self.server.process;
        let cost = |held: u64, before: u64| {
            process.map(|_| (held as f64 - before as f64) / MB * each_hundred)
        };
        figures.stalled_mb = cost(most.sum(), before.sum());
        figures.stalled_kernel_mb = cost(most.kernel, before.kernel);
        figures.stalled_reset = Some(self.rid_of(sockets).await as f64);
        figures.stalled_left_mb = cost(self.held()?.sum(), before.sum());
        figures.stalled_missing_beats = self.heartbeats.then(|| self.missing_beats(since));
        figures.stalled_gap_most_ms = self
            .readers
            .look(|tally| tally.gaps.most().map(milliseconds));
        Ok(())
    }

    async fn last_of_rounds(&mut self) -> Result<Option<f64>, LoadError> {
        let times = self.rounds(self.args.rounds.min(ROUNDS)).await?;
        Ok(median(times.into_iter().map(|(_, last)| last).collect()))
    }

    /// Waits until a publish would reach each of them: a reader on its way would seem to cost nothing.
    async fn all_subscribed(&mut self) -> Result<(), LoadError> {
        let wanted = (self.open + self.args.stalled) as u64;
        let begun = Instant::now();
        while let Some(stats) = self.server.stats(&mut self.publisher).await? {
            if stats["connections"].as_u64() == Some(wanted) {
                return Ok(());
            }
            if begun.elapsed() > TIMEOUT {
                return Err(LoadError::NotStalled);
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Of a server that says so.
    async fn served(&mut self) -> Result<Option<Served>, LoadError> {
        let stats = self.server.stats(&mut self.publisher).await?;
        Ok(stats.map(|stats| Served {
            events: stats["events"].as_u64().unwrap_or(0),
            ended: stats["tooSlow"].as_u64().unwrap_or(0) + stats["stalled"].as_u64().unwrap_or(0),
        }))
    }

    /// Whether at least one publish waits for each of them, on the average, after so many, and the server has given up none.
    async fn stalls_all(
        &mut self,
        before: Option<Served>,
        published: usize,
    ) -> Result<bool, LoadError> {
        let Some((now, before)) = self.served().await?.zip(before) else {
            return Ok(true);
        };
        let published = (published * self.args.stalled) as u64;
        let stalls = now.ended == before.ended
            && now.events - before.events + self.args.stalled as u64 <= published;
        if !stalls {
            say(
                "what stalled readers delay was not measured: the server was rid of them, or served them all",
            );
        }
        Ok(stalls)
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

    /// So many messages to each of them. The most that the server held meanwhile, and how many messages were
    /// published to the one that took the fewest.
    async fn fill(&self, messages: usize, before: Held) -> Result<(Held, usize), LoadError> {
        let mut paths: Vec<String> = (STALLED..STALLED + self.args.stalled)
            .map(|number| self.server.publish_path(number))
            .collect();
        paths.dedup();
        let share = paths.len().div_ceil(PUBLISHERS);
        let mut tasks = JoinSet::new();
        for paths in paths.chunks(share) {
            let publisher = Publisher::connect(self.server.address).await?;
            let answers = self.server.answers();
            tasks.spawn(publish(publisher, paths.to_vec(), messages, answers));
        }
        let (mut most, mut published) = (before, messages);
        while !tasks.is_empty() {
            while let Some(done) = tasks.try_join_next() {
                let one = done.map_err(|error| LoadError::Machine(error.into()))??;
                published = published.min(one);
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

/// So many messages to each of these, until the server says that nobody takes them any more. How many it were
/// for the first of which it said so.
async fn publish(
    mut publisher: Publisher,
    mut paths: Vec<String>,
    messages: usize,
    answers: Answers,
) -> Result<usize, LoadError> {
    let begun = Instant::now();
    let text = Payload::new(MESSAGE).text(0);
    let mut least = messages;
    for published in 0..messages {
        if paths.is_empty() || begun.elapsed() > TIMEOUT {
            return Ok(least.min(published));
        }
        let mut taking = Vec::with_capacity(paths.len());
        for path in paths {
            let answer = publisher.post(&path, &text).await?;
            if answers.taken(&answer) == Some(0) {
                least = least.min(published);
            } else {
                taking.push(path);
            }
        }
        paths = taking;
    }
    Ok(least)
}
