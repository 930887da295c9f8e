//! What a seed holds: the jobs, the weather, and what befalls whom.

use std::time::Duration;

use super::chance::Chance;
use super::incident::{Hand, Incident, doom};
use super::jobs::Plan;
use super::time::{Micros, SECOND, seconds};
use super::weather::{Outage, Weather};

pub(super) const NODES: usize = 5;

/// How long a calm is, after which all that is owed must have been done. It covers a retry after five minutes, clocks a
/// minute apart, a check every 15 seconds, the longest lease and the longest job.
pub(super) const CALM: Micros = 9 * 60 * SECOND;

pub(super) struct Scenario {
    pub(super) jobs: Vec<Plan>,
    pub(super) weather: Weather,
    pub(super) incidents: Vec<(Micros, Option<usize>, Incident)>,
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
            incidents: Vec::new(),
            end: 0,
            skew: *chance.pick(&[0, 2, 30]),
            doomed: *chance.pick(&[0, 30, 80]),
        };
        for node in 0..NODES {
            let time = chance.within(0..=seconds(5));
            scenario
                .incidents
                .push((time, Some(node), Incident::Start { node }));
        }
        let mut from = seconds(10);
        for _ in 0..*chance.pick(&[1, 1, 1, 2]) {
            let to = from + chance.within(seconds(120)..=seconds(480));
            scenario.trouble(chance, from, to);
            scenario.incidents.push((to, None, Incident::CalmBegins));
            scenario.weather.calms.push((to, to + CALM));
            from = to + CALM;
            scenario
                .incidents
                .push((from, None, Incident::CalmEnds { began: to }));
        }
        scenario.end = from;
        scenario.incidents.push((from, None, Incident::End));
        let looks = (0..from).step_by(2_500_000);
        scenario
            .incidents
            .extend(looks.map(|time| (time, None, Incident::Watch)));
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
                self.incidents.push((
                    chance.within(from..=to),
                    Some(node),
                    Incident::Meet { node, doom },
                ));
            }
            if chance.percent(15) {
                let hand = Hand::Stop(Duration::from_secs(chance.within(0..=20)));
                self.incidents.push((
                    chance.within(from..=to),
                    Some(node),
                    Incident::Ask { node, hand },
                ));
            }
        }
        if chance.percent(30) {
            self.set_clocks(chance, from, to);
        }
        for _ in 0..chance.within(0..=8) {
            let node = chance.within(0..=NODES as u64 - 1) as usize;
            let job = chance.pick(&self.jobs).name.clone();
            let hand = match chance.within(0..=4) {
                0 => Hand::Pause(job),
                1 | 2 => Hand::Resume(job),
                _ => Hand::RunNow(job),
            };
            self.incidents.push((
                chance.within(from..=to),
                Some(node),
                Incident::Ask { node, hand },
            ));
        }
        if chance.percent(20) {
            let job = chance.pick(&self.jobs).name.clone();
            let holds = chance.within(seconds(1)..=seconds(40));
            self.incidents.push((
                chance.within(from..=to),
                None,
                Incident::ForeignTake { job, holds },
            ));
        }
    }

    /// Sets clocks: those of all nodes at once, as on one machine, or each by itself.
    fn set_clocks(&mut self, chance: &mut Chance, from: Micros, to: Micros) {
        let (together, all) = (chance.percent(50), super::incident::step(chance));
        let at_once = chance.within(from..=to);
        for node in 0..NODES {
            let (time, by) = if together {
                (at_once, all)
            } else {
                (chance.within(from..=to), super::incident::step(chance))
            };
            let incident = Incident::SetClock { node, by };
            self.incidents.push((time, Some(node), incident));
        }
    }
}
