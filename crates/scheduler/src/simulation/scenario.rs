//! What a seed holds: the jobs, the weather, and what befalls whom.

use std::time::Duration;

use super::chance::Chance;
use super::jobs::Plan;
use super::weather::{Outage, Weather};
use super::world::{Micros, SECOND, seconds};

pub(super) const NODES: usize = 5;

/// How long nothing foul happens, until all that is owed must have been done: a retry after five minutes, clocks a minute
/// apart, a look every 15 seconds, the longest lease and the longest job.
pub(super) const CALM: Micros = 9 * 60 * SECOND;

/// What can befall a node in the middle of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    /// It is killed.
    Crash,
    /// It is stopped, and goes on after this.
    Freeze(Micros),
}

/// What an operator or somebody else does.
#[derive(Debug, Clone)]
pub(super) enum Hand {
    RunNow(String),
    Pause(String),
    Resume(String),
    Stop(Duration),
}

/// Something that befalls the cluster.
#[derive(Debug, Clone)]
pub(super) enum Turn {
    /// A process starts, unless one is there.
    Start {
        node: usize,
    },
    Meet {
        node: usize,
        doom: Doom,
    },
    /// A stopped process goes on.
    Thaw {
        node: usize,
    },
    Ask {
        node: usize,
        hand: Hand,
    },
    /// A process has ended by itself.
    Gone {
        node: usize,
    },
    /// A process that knows nothing of us takes the lock, and gives it back after this.
    ForeignTake {
        job: String,
        holds: Micros,
    },
    ForeignRelease {
        job: String,
    },
    /// Everybody who is stopped goes on. Two nodes come back if they are down, the others leave.
    CalmBegins,
    /// The judge looks for dead runs.
    Watch,
    /// The judge looks at what the calm has left.
    CalmEnds {
        began: Micros,
    },
    End,
}

pub(super) struct Scenario {
    pub(super) jobs: Vec<Plan>,
    pub(super) weather: Weather,
    pub(super) turns: Vec<(Micros, Option<usize>, Turn)>,
    pub(super) end: Micros,
    /// How far ahead or behind a wall clock may be.
    pub(super) skew: u64,
    /// How many of a hundred processes meet their doom in the middle of a call.
    pub(super) doomed: u64,
}

impl Scenario {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let jobs: Vec<_> = (0..chance.within(2..=4) as usize)
            .map(|number| Plan::draw(number, chance))
            .collect();
        let mut scenario = Self {
            jobs,
            weather: Weather {
                trouble: *chance.pick(&[0, 1, 3, 10]),
                outages: Vec::new(),
                calms: Vec::new(),
            },
            turns: Vec::new(),
            end: 0,
            skew: *chance.pick(&[0, 2, 30]),
            doomed: *chance.pick(&[0, 30, 80]),
        };
        for node in 0..NODES {
            let time = chance.within(0..=seconds(5));
            scenario
                .turns
                .push((time, Some(node), Turn::Start { node }));
        }
        let mut from = seconds(10);
        for _ in 0..*chance.pick(&[1, 1, 1, 2]) {
            let to = from + chance.within(seconds(120)..=seconds(480));
            scenario.trouble(chance, from, to);
            scenario.turns.push((to, None, Turn::CalmBegins));
            scenario.weather.calms.push((to, to + CALM));
            from = to + CALM;
            scenario
                .turns
                .push((from, None, Turn::CalmEnds { began: to }));
        }
        scenario.end = from;
        scenario.turns.push((from, None, Turn::End));
        let looks = (0..from).step_by(2_500_000);
        scenario
            .turns
            .extend(looks.map(|time| (time, None, Turn::Watch)));
        scenario
    }

    fn trouble(&mut self, chance: &mut Chance, from: Micros, to: Micros) {
        for _ in 0..chance.within(0..=6) {
            let (begin, length) = (
                chance.within(from..=to),
                chance.within(seconds(2)..=seconds(60)),
            );
            let whose = chance
                .percent(70)
                .then(|| chance.within(0..=NODES as u64 - 1) as usize);
            self.weather.outages.push(Outage {
                from: begin,
                to: (begin + length).min(to),
                whose,
                total: chance.percent(50),
            });
        }
        for node in 0..NODES {
            for _ in 0..*chance.pick(&[0, 1, 2]) {
                let doom = doom(chance);
                self.turns.push((
                    chance.within(from..=to),
                    Some(node),
                    Turn::Meet { node, doom },
                ));
            }
            if chance.percent(15) {
                let hand = Hand::Stop(Duration::from_secs(chance.within(0..=20)));
                self.turns.push((
                    chance.within(from..=to),
                    Some(node),
                    Turn::Ask { node, hand },
                ));
            }
        }
        for _ in 0..chance.within(0..=8) {
            let node = chance.within(0..=NODES as u64 - 1) as usize;
            let job = chance.pick(&self.jobs).name.clone();
            let hand = match chance.within(0..=4) {
                0 => Hand::Pause(job),
                1 | 2 => Hand::Resume(job),
                _ => Hand::RunNow(job),
            };
            self.turns.push((
                chance.within(from..=to),
                Some(node),
                Turn::Ask { node, hand },
            ));
        }
        if chance.percent(20) {
            let job = chance.pick(&self.jobs).name.clone();
            let holds = chance.within(seconds(1)..=seconds(40));
            self.turns.push((
                chance.within(from..=to),
                None,
                Turn::ForeignTake { job, holds },
            ));
        }
    }
}

pub(super) fn doom(chance: &mut Chance) -> Doom {
    match chance.within(0..=3) {
        0 | 1 => Doom::Crash,
        2 => Doom::Freeze(chance.within(SECOND / 2..=seconds(6))),
        _ => Doom::Freeze(chance.within(seconds(6)..=seconds(80))),
    }
}
