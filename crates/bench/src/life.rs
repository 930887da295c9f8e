//! One process of a server from its start to its end.

mod fanout;
mod soak;
mod stalled;
mod targeted;

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    args::Args,
    error::LoadError,
    figures::Figures,
    histogram::Histogram,
    payload::{Clock, Payload},
    process,
    progress::say,
    publisher::Publisher,
    readers::Readers,
    server::{Keys, Server, Subject},
};

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;
const MB: f64 = 1e6;

/// From one heartbeat to the next.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Until what opening or publishing left behind has come to rest.
const REST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Fanout,
    Soak,
    Targeted,
    Stalled,
}

/// One process of a server from its start to its end, and what is measured in it.
#[derive(Debug)]
pub(crate) struct Plan {
    keys: Keys,
    heartbeats: bool,
    phases: &'static [Phase],
}

/// All in one life: a hub has a key for each reader, and always heartbeats. The server's own measurement of
/// publishes to one reader counts from its start, so nothing else is published that way before.
const OURS: &[Plan] = &[Plan {
    keys: Keys::Own,
    heartbeats: true,
    phases: &[Phase::Fanout, Phase::Targeted, Phase::Soak, Phase::Stalled],
}];

/// What suits nchan best: one channel for all wherever that will do, and its ping, which makes it grow, only where
/// heartbeats are measured.
const NCHAN: &[Plan] = &[
    Plan {
        keys: Keys::Shared,
        heartbeats: false,
        phases: &[Phase::Fanout, Phase::Stalled],
    },
    Plan {
        keys: Keys::Own,
        heartbeats: false,
        phases: &[Phase::Targeted],
    },
    Plan {
        keys: Keys::Shared,
        heartbeats: true,
        phases: &[Phase::Soak],
    },
];

/// Measures a server, in as many lives as it takes. One that fails does not take the figures of the others with it.
pub(crate) async fn measure(subject: &Subject, args: &Args) -> (Figures, Vec<LoadError>) {
    let (plans, minutes) = match subject {
        Subject::Nchan { .. } => (NCHAN, args.minutes.min(args.peer_minutes)),
        _ => (OURS, args.minutes),
    };
    let (mut figures, mut failures) = (Figures::default(), Vec::new());
    for plan in plans {
        if let Err(error) = live(subject, args, plan, minutes, &mut figures).await {
            failures.push(error);
        }
    }
    (figures, failures)
}

async fn live(
    subject: &Subject,
    args: &Args,
    plan: &Plan,
    minutes: f64,
    figures: &mut Figures,
) -> Result<(), LoadError> {
    let life = Life::begin(subject, args, plan, minutes).await?;
    life.live(plan, figures).await
}

struct Life<'a> {
    args: &'a Args,
    minutes: f64,
    clock: Clock,
    payload: Payload,
    keys: Keys,
    heartbeats: bool,
    // Before the server: the readers are to be gone when it ends.
    readers: Readers,
    publisher: Publisher,
    server: Server,
    /// Resident before the first stream.
    empty: Option<u64>,
    open: usize,
}

impl<'a> Life<'a> {
    async fn begin(
        subject: &Subject,
        args: &'a Args,
        plan: &Plan,
        minutes: f64,
    ) -> Result<Self, LoadError> {
        let server = Server::start(subject, plan.keys, plan.heartbeats).await?;
        let clock = Clock::start();
        let payload = Payload::new(args.payload);
        let readers = Readers::start(clock, payload.shape()).map_err(LoadError::Machine)?;
        let publisher = Publisher::connect(server.address).await?;
        sleep(REST).await;
        let mut life = Self {
            args,
            minutes,
            clock,
            payload,
            keys: plan.keys,
            heartbeats: plan.heartbeats,
            readers,
            publisher,
            server,
            empty: None,
            open: 0,
        };
        life.empty = life.resident()?;
        Ok(life)
    }

    /// Begins to count heartbeats and the gaps between them.
    fn watch_beats(&self) -> Instant {
        self.readers.look(|tally| tally.gaps = Histogram::default());
        Instant::now()
    }

    /// How many heartbeats did not come to an open stream since then. Of those that should have come in the time
    /// the last may still be on its way.
    fn missing_beats(&self, since: Instant) -> f64 {
        let beats = (since.elapsed().as_secs_f64() / HEARTBEAT.as_secs_f64()).floor() - 1.0;
        let came = self.readers.look(|tally| tally.gaps.count());
        (beats.max(0.0) * self.open as f64 - came as f64).max(0.0)
    }

    async fn live(mut self, plan: &Plan, figures: &mut Figures) -> Result<(), LoadError> {
        for phase in plan.phases {
            match phase {
                Phase::Fanout => self.fanout(figures).await?,
                Phase::Soak => self.soak(figures).await?,
                Phase::Targeted => self.targeted(figures).await?,
                Phase::Stalled => self.stalled(figures).await?,
            }
        }
        let (damaged, repeated) = self.readers.look(|tally| (tally.damaged, tally.repeated));
        *figures.damaged.get_or_insert_default() += damaged as f64;
        *figures.repeated.get_or_insert_default() += repeated as f64;
        Ok(())
    }

    /// Opens streams until there are so many.
    async fn open_up_to(&mut self, count: usize) -> Result<(), LoadError> {
        if count > self.open {
            say(format!("opening streams up to {count}"));
            let wishes = self.server.wishes(self.open..count);
            self.readers.open(wishes).await?;
            self.open = count;
            sleep(REST).await;
        }
        Ok(())
    }

    /// Publishes to all readers; milliseconds until the first and the last of them had it.
    async fn broadcast(&mut self) -> Result<(f64, f64), LoadError> {
        let number = self.clock.now();
        self.readers.begin_round(number);
        let text = self.payload.text(number);
        let path = self.server.broadcast_path();
        self.publisher.post(&path, &text).await?;
        let round = self.readers.finish_round().await?;
        let since = |time: u64| milliseconds(time.saturating_sub(number));
        Ok((since(round.first), since(round.last)))
    }

    /// Bytes of the server's processes.
    fn resident(&self) -> Result<Option<u64>, LoadError> {
        self.server.process.map(process::resident).transpose()
    }

    /// KiB that each stream has added.
    fn resident_each(&self) -> Result<Option<f64>, LoadError> {
        let now = self.resident()?;
        Ok(now
            .zip(self.empty)
            .map(|(now, empty)| (now as f64 - empty as f64) / KIB / self.open as f64))
    }

    /// Seconds of processor time of the server's processes.
    fn processor(&self) -> Result<Option<f64>, LoadError> {
        self.server
            .process
            .map(process::processor_seconds)
            .transpose()
    }
}

/// Of nanoseconds.
fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}
