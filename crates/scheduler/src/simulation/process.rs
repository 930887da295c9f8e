//! One process of the cluster: a scheduler on a runtime of its own, whose time stands unless it is run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use shedlock::StoreLockProvider;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::time::Instant;

use super::Broken;
use super::incident::{Hand, Incident};
use super::jobs::Plan;
use super::judge::Invariant;
use super::line::{Clocks, Line};
use super::time::Micros;
use super::wall::{Wall, WallAlone};
use super::world::{Event, World};
use crate::Scheduler;
use crate::clock::Clock;

pub(super) struct Process {
    runtime: Runtime,
    pub(super) line: Line,
    pub(super) scheduler: Scheduler,
    hands: mpsc::UnboundedSender<Hand>,
    /// How far it has run.
    pub(super) reached: Micros,
}

/// What distinguishes a process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Birth {
    pub(super) node: usize,
    pub(super) process: u64,
    pub(super) time: Micros,
    pub(super) rate: u64,
    pub(super) ahead: TimeDelta,
}

impl Process {
    pub(super) fn start(
        world: &Arc<Mutex<World>>,
        birth: Birth,
        jobs: &[Plan],
        broken: Broken,
    ) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without any input or output");
        let entered = runtime.enter();
        let clocks = Clocks {
            born: (Instant::now(), birth.time),
            rate: birth.rate,
        };
        let line = Line {
            world: world.clone(),
            node: birth.node,
            process: birth.process,
            sent: Arc::new(Notify::new()),
            clocks,
            wall: Wall::new(clocks, birth.ahead),
        };
        let name = line.world().seats[birth.node].name.clone();
        let locks = StoreLockProvider::new(Arc::new(line.clone()), &*name)
            .with_clock(Arc::new(line.clocks));
        let locks = Arc::new(match broken {
            Broken::Margin => locks.with_margin(Duration::ZERO),
            _ => locks,
        });
        let clock: Arc<dyn Clock> = match broken {
            Broken::WallAlone => Arc::new(WallAlone(line.wall.clone())),
            _ => Arc::new(line.wall.clone()),
        };
        let scheduler = Scheduler::builder()
            .store(Arc::new(line.clone()))
            .cluster_locks(locks.clone())
            .clock(clock)
            .node_id(name)
            .jobs(jobs.iter().map(|plan| plan.job(&line)))
            .build()
            .expect("a scheduler of valid parts");
        let (hands, asked) = mpsc::unbounded_channel();
        runtime.spawn(live(line.clone(), scheduler.clone(), locks, asked));
        drop(entered);
        Self {
            runtime,
            line,
            scheduler,
            hands,
            reached: birth.time,
        }
    }

    /// Runs until something is going to happen to it.
    pub(super) fn run(&mut self) {
        let (line, node) = (&self.line, self.line.node);
        self.runtime.block_on(async {
            loop {
                let horizon = line.world().horizon(node);
                tokio::select! {
                    biased;
                    () = line.sent.notified() => {}
                    () = tokio::time::sleep_until(line.clocks.instant(horizon)) => break,
                }
            }
        });
        self.reached = self.now();
    }

    /// Goes on after a stop: all at once it is `time`, and every timer is late.
    pub(super) fn thaw(&mut self, time: Micros) {
        let clocks = self.line.clocks;
        self.runtime.block_on(async {
            let missed = clocks.instant(time) - Instant::now();
            tokio::time::advance(missed).await;
        });
        self.reached = self.now();
    }

    pub(super) fn ask(&self, hand: Hand) {
        // A process that ended by itself hears nothing.
        let _ = self.hands.send(hand);
    }

    /// None of the scheduler's own tasks has ended: its timer, its scans, its heartbeat.
    pub(super) fn check_alive(&self) {
        let mut world = self.line.world();
        let seat = &world.seats[self.line.node];
        let alive =
            !seat.started || seat.stopping_since.is_some() || self.scheduler.core.tasks.len() >= 3;
        let name = seat.name.clone();
        world.judge.demand(Invariant::NobodyPanics, alive, || {
            format!("a task of {name} has ended")
        });
    }

    fn now(&self) -> Micros {
        let _entered = self.runtime.enter();
        self.line.clocks.now()
    }
}

/// Lets the judge know which runs are over.
async fn report_ends(line: Line, mut events: broadcast::Receiver<crate::Event>) {
    loop {
        match events.recv().await {
            Ok(crate::Event::Finished(run)) if run.id != 0 => line.note(move |world| {
                world.judge.over.insert(run.id, world.now);
            }),
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// A process's life, as a service around the scheduler lives it.
async fn live(
    line: Line,
    scheduler: Scheduler,
    locks: Arc<StoreLockProvider>,
    mut asked: mpsc::UnboundedReceiver<Hand>,
) {
    let node = line.node;
    let running = loop {
        match scheduler.start().await {
            Ok(running) => break running,
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    };
    line.note(move |world| {
        let seat = &mut world.seats[node];
        seat.started = true;
        seat.well_since = seat.well_since.max(world.now);
        world.trace(node, "started", 0, String::new);
    });
    tokio::spawn(report_ends(line.clone(), scheduler.events()));
    while let Some(hand) = asked.recv().await {
        let scheduler = scheduler.clone();
        match hand {
            Hand::RunNow(job) => drop(tokio::spawn(async move { scheduler.run_now(&job).await })),
            Hand::Pause(job) => drop(tokio::spawn(async move { scheduler.pause(&job).await })),
            Hand::Resume(job) => drop(tokio::spawn(async move { scheduler.resume(&job).await })),
            Hand::Stop(deadline) => {
                line.world().seats[node].stopping_since = Some(line.clocks.now());
                line.note(move |world| world.trace(node, "stops", 0, String::new));
                running.stop(deadline).await;
                shedlock::LockProvider::shut_down(&*locks, Duration::ZERO).await;
                let now = line.clocks.now();
                line.world()
                    .plan(now, Some(node), Event::Incident(Incident::Gone { node }));
                return;
            }
        }
    }
}
