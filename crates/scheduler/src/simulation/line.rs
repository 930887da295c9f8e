//! A node's line to the world: its calls, its clocks, what it tells the judge.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shedlock::LeaseClock;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::chance::Chance;
use super::judge::Invariant;
use super::time::Micros;
use super::wall::Wall;
use super::weather::Fault;
use super::world::{Errand, Event, World};

const MILLION: u64 = 1_000_000;

#[derive(Clone)]
pub(super) struct Line {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) node: usize,
    /// Which of the seat's processes this is.
    pub(super) process: u64,
    /// Tells the runner of the node that its horizon may have come nearer.
    pub(super) sent: Arc<Notify>,
    pub(super) clocks: Clocks,
    pub(super) wall: Wall,
}

/// What a process measures time with. Its timers and its lease clock go at `rate` (a million: as the database's).
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) born: (Instant, Micros),
    pub(super) rate: u64,
}

impl Clocks {
    pub(super) fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.born.0)
    }

    pub(super) fn now(&self) -> Micros {
        self.born.1 + self.elapsed().as_micros() as u64 * MILLION / self.rate
    }

    /// How long a timer must be to fire that much later.
    pub(super) fn timer(&self, later: Micros) -> Duration {
        Duration::from_micros((later * self.rate).div_ceil(MILLION))
    }

    /// The first moment of the process's timers that is not before `time`.
    pub(super) fn instant(&self, time: Micros) -> Instant {
        let since = self.timer(time.saturating_sub(self.born.1)).as_micros() as u64;
        self.born.0 + Duration::from_millis(since.div_ceil(1_000))
    }
}

impl Line {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `act` done to the world when the call arrives, and waits for the answer.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        errand: Errand,
        act: impl FnOnce(&mut World) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let act = Box::new(move |world: &mut World| -> Box<dyn std::any::Any + Send> {
            Box::new(act(world))
        });
        self.world()
            .send(self.node, self.clocks.now(), errand, act, reply);
        self.sent.notify_one();
        match answer.await {
            Ok(answer) => Ok(*answer?
                .downcast::<T>()
                .expect("an answer has its call's type")),
            // This process is no more.
            Err(_) => std::future::pending().await,
        }
    }

    /// A run is about to begin.
    pub(super) fn check_begins(&self) {
        let mut world = self.world();
        let seat = &world.seats[self.node];
        let (name, stopping) = (seat.name.clone(), seat.stopping_since);
        let details = || format!("{name} stops since {stopping:?}");
        world
            .judge
            .demand(Invariant::StopBeginsNothing, stopping.is_none(), details);
    }

    /// Lets the judge know of something that this process does now.
    pub(super) fn note(&self, note: impl FnOnce(&mut World) + Send + 'static) {
        let (node, process) = (self.node, self.process);
        let note = Box::new(move |world: &mut World| {
            if world.seats[node].starts == process {
                note(world);
            }
        });
        self.world()
            .plan(self.clocks.now(), None, Event::Note(note));
    }

    pub(super) fn chance<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.world().chance)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({}.{})", self.node, self.process)
    }
}

impl LeaseClock for Clocks {
    fn elapsed(&self) -> Duration {
        Clocks::elapsed(self)
    }
}
