//! Runs a seed: always whoever is furthest behind, so that nothing reaches anybody's past.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;

use super::Broken;
use super::chance::Chance;
use super::incident::{Doom, Hand, Incident, doom};
use super::judge::{Judge, Violation};
use super::process::{Birth, Process};
use super::scenario::{CALM, NODES, Scenario};
use super::time::{Micros, SECOND, at, seconds};
use super::trace::Trace;
use super::world::{Event, World};

/// How much slower or faster than the database's a process's clock may go, in millionths. The margin makes up for more: a
/// second in the longest lease of twenty.
const DRIFT: u64 = 40_000;

pub(super) struct Cluster {
    world: Arc<Mutex<World>>,
    processes: Vec<Option<Process>>,
    scenario: Scenario,
    broken: Broken,
    /// Who stays in the calm.
    staying: [usize; 2],
    over: bool,
}

/// How a seed ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) violation: Option<Violation>,
    pub(super) seen: BTreeMap<&'static str, u64>,
    pub(super) trace: Trace,
}

/// Runs a seed to its end, or to its first violation.
pub(super) fn run(seed: u64, broken: Broken, with_lines: bool) -> Outcome {
    let mut chance = Chance::new(seed);
    let mut scenario = Scenario::draw(&mut chance);
    let weather = std::mem::take(&mut scenario.weather);
    let trace = Trace::new(with_lines);
    let mut world = World::new(chance, weather, NODES, broken, trace);
    world.end = scenario.end;
    for (time, node, incident) in std::mem::take(&mut scenario.incidents) {
        world.plan(time, node, Event::Incident(incident));
    }
    let mut cluster = Cluster {
        world: Arc::new(Mutex::new(world)),
        processes: (0..NODES).map(|_| None).collect(),
        scenario,
        broken,
        staying: [0, 1],
        over: false,
    };
    while !cluster.over && cluster.world().judge.violation.is_none() {
        cluster.step();
    }
    let mut world = cluster.world();
    let Judge {
        violation, seen, ..
    } = std::mem::take(&mut world.judge);
    Outcome {
        violation,
        seen,
        trace: std::mem::take(&mut world.trace),
    }
}

fn locked(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.world)
    }

    fn step(&mut self) {
        let world = locked(&self.world);
        let Some(next) = world.next_time() else {
            unreachable!("the end is planned from the beginning");
        };
        let runs = |process: &&mut Process| {
            process.reached < next && !world.seats[process.line.node].frozen
        };
        let processes = self.processes.iter_mut().flatten();
        let behind = processes.filter(runs).min_by_key(|process| process.reached);
        drop(world);
        if let Some(process) = behind {
            process.run();
            return;
        }
        let event = self.world().pop();
        match event {
            Some(Event::Act(id)) => self.world().act(id),
            Some(Event::Answer(id)) => self.world().answer(id),
            Some(Event::Note(note)) => note(&mut self.world()),
            Some(Event::Incident(incident)) => self.befall(incident),
            None => self.over = true,
        }
    }

    fn befall(&mut self, incident: Incident) {
        match incident {
            Incident::Start { node } => self.start(node),
            Incident::Meet { node, doom } => {
                let world = self.world();
                if !world.weather.is_calm(world.now) && world.seats[node].up {
                    drop(world);
                    match doom {
                        Doom::Crash => self.crash(node),
                        Doom::Freeze(length) => self.freeze(node, length),
                    }
                }
            }
            Incident::Thaw { node } => self.thaw(node),
            Incident::Ask { node, hand } => self.ask(node, hand),
            Incident::SetClock { node, by } => self.set_clock(node, by),
            Incident::Gone { node } => self.gone(node),
            Incident::ForeignTake { job, holds } => self.world().foreign_take(&job, holds),
            Incident::ForeignRelease { job } => self.world().foreign_release(&job),
            Incident::CalmBegins => self.calm_begins(),
            Incident::Watch => {
                let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
                world.watch();
                world.watch_ticks(&self.scenario.jobs);
                world.watch_over(&self.scenario.jobs);
            }
            Incident::CalmEnds { began } => self.calm_ends(began),
            Incident::End => self.over = true,
        }
    }

    fn start(&mut self, node: usize) {
        let mut world = self.world();
        if world.seats[node].up {
            return;
        }
        let rate = world.chance.within(1_000_000 - DRIFT..=1_000_000 + DRIFT);
        let skew = seconds(self.scenario.skew);
        let ahead = world.chance.within(0..=2 * skew) as i64 - skew as i64;
        let (now, doomed) = (world.now, world.chance.percent(self.scenario.doomed));
        let doom = doomed.then(|| (world.chance.within(1..=25), doom(&mut world.chance)));
        let seat = &mut world.seats[node];
        seat.starts += 1;
        seat.name = format!("n{node}-{}", seat.starts);
        (seat.up, seat.frozen, seat.started) = (true, false, false);
        (seat.stopping_since, seat.deeds, seat.doom) = (None, 0, doom);
        let birth = Birth {
            node,
            process: seat.starts,
            time: now,
            rate,
            ahead: TimeDelta::microseconds(ahead),
        };
        world.trace(node, "starts", rate, || {
            format!("{} ms ahead, rate {rate}", ahead / 1_000)
        });
        drop(world);
        self.processes[node] = Some(Process::start(
            &self.world,
            birth,
            &self.scenario.jobs,
            self.broken,
        ));
    }

    fn crash(&mut self, node: usize) {
        let mut world = self.world();
        world.trace(node, "crashes", 0, String::new);
        world.judge.saw("crash");
        let now = world.now;
        let back = now + world.chance.within(SECOND..=seconds(90));
        drop(world);
        self.end(node);
        self.world()
            .plan(back, Some(node), Event::Incident(Incident::Start { node }));
    }

    fn end(&mut self, node: usize) {
        let mut world = self.world();
        world.cut_off(node);
        let seat = &mut world.seats[node];
        (seat.up, seat.frozen, seat.started, seat.doom) = (false, false, false, None);
        drop(world);
        // Dropped with all its tasks wherever they are. What they still say on their way out reaches nobody.
        self.processes[node] = None;
        self.world().cut_off(node);
    }

    fn freeze(&mut self, node: usize, length: Micros) {
        let mut world = self.world();
        if world.seats[node].frozen {
            return;
        }
        let now = world.now;
        let calm = world
            .weather
            .calms
            .iter()
            .map(|(from, _)| *from)
            .find(|from| *from > now);
        let until = (now + length).min(calm.unwrap_or(Micros::MAX));
        world.trace(node, "is stopped", until - now, || {
            format!("for {} ms", (until - now) / 1_000)
        });
        world.judge.saw("freeze");
        world.seats[node].frozen = true;
        // Answers come before its clocks are looked at, or after.
        let answers_first = world.chance.percent(50);
        if answers_first {
            world.hold_back_until(node, until);
        }
        world.plan(until, Some(node), Event::Incident(Incident::Thaw { node }));
        if !answers_first {
            world.hold_back_until(node, until);
        }
    }

    fn thaw(&mut self, node: usize) {
        let mut world = self.world();
        if !world.seats[node].frozen {
            return;
        }
        world.trace(node, "goes on", 0, String::new);
        let now = world.now;
        let seat = &mut world.seats[node];
        seat.frozen = false;
        seat.resumed_at = now;
        seat.well_since = seat.well_since.max(now);
        drop(world);
        if let Some(process) = &mut self.processes[node] {
            process.thaw(now);
        }
    }

    fn ask(&mut self, node: usize, hand: Hand) {
        let mut world = self.world();
        let seat = &world.seats[node];
        if !seat.up || !seat.started || seat.stopping_since.is_some() {
            return;
        }
        world.trace(node, "is asked", 0, || format!("{hand:?}"));
        drop(world);
        if let Some(process) = &self.processes[node] {
            process.ask(hand);
        }
    }

    /// A stopped process sees it when it goes on.
    fn set_clock(&mut self, node: usize, by: TimeDelta) {
        let Some(process) = &self.processes[node] else {
            return;
        };
        let mut world = self.world();
        let millis = by.num_milliseconds();
        world.trace(node, "has its clock set", millis.unsigned_abs(), || {
            format!("by {millis} ms")
        });
        world.judge.saw(if millis < 0 {
            "clock set back"
        } else {
            "clock set forwards"
        });
        drop(world);
        process.line.wall.set(by);
    }

    fn gone(&mut self, node: usize) {
        let mut world = self.world();
        world.trace(node, "is gone", 0, String::new);
        world.judge.saw("graceful stop");
        world.check_given_back(node, &self.scenario.jobs);
        let mut back = world.now + world.chance.within(SECOND..=seconds(120));
        if world.weather.is_calm(back) {
            // Who stays in the calm comes back at once.
            back = if self.staying.contains(&node) {
                world.now + SECOND
            } else {
                back + CALM
            };
        }
        drop(world);
        self.end(node);
        self.world()
            .plan(back, Some(node), Event::Incident(Incident::Start { node }));
    }

    fn calm_begins(&mut self) {
        let stays = self.world().chance.within(0..=NODES as u64 - 1) as usize;
        self.staying = [stays, (stays + 1) % NODES];
        for node in 0..NODES {
            let mut world = self.world();
            let start = world.now + world.chance.within(0..=seconds(5));
            let (up, frozen) = (world.seats[node].up, world.seats[node].frozen);
            if !self.staying.contains(&node) {
                let hand = Hand::Stop(Duration::from_secs(20));
                world.plan(
                    start,
                    Some(node),
                    Event::Incident(Incident::Ask { node, hand }),
                );
            } else if !up {
                world.plan(start, Some(node), Event::Incident(Incident::Start { node }));
            }
            if frozen {
                drop(world);
                self.thaw(node);
            }
        }
    }

    fn calm_ends(&mut self, began: Micros) {
        let mut ahead = (TimeDelta::zero(), TimeDelta::zero());
        for process in self.processes.iter().flatten() {
            let clock = process.line.wall.ahead();
            ahead = (ahead.0.min(clock), ahead.1.max(clock));
        }
        self.world()
            .check_calm(at(began), ahead, &self.scenario.jobs);
        for process in self.processes.iter().flatten() {
            process.check_alive();
        }
    }
}
