//! How the database's line is: what becomes of each call.

use super::chance::Chance;
use super::time::{Micros, SECOND, seconds};

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line broke; whether the call acted is unknown.
    Lost,
    /// The database gave way to somebody else: the call did not act.
    Refused,
}

/// What becomes of a call.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) acts: Option<Micros>,
    pub(super) answered: Micros,
    pub(super) fault: Option<Fault>,
    pub(super) is_foul: bool,
}

/// A time when each call meets trouble.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) from: Micros,
    pub(super) to: Micros,
    /// One node's, or everybody's.
    pub(super) whose: Option<usize>,
    /// No call gets through at all.
    pub(super) total: bool,
}

#[derive(Debug, Default)]
pub(super) struct Weather {
    /// How many calls of a hundred meet trouble.
    pub(super) trouble: u64,
    pub(super) outages: Vec<Outage>,
    /// No trouble in these.
    pub(super) calms: Vec<(Micros, Micros)>,
}

impl Weather {
    pub(super) fn is_calm(&self, time: Micros) -> bool {
        self.calms
            .iter()
            .any(|(from, to)| (*from..*to).contains(&time))
    }

    pub(super) fn fate(&self, node: usize, sent: Micros, chance: &mut Chance) -> Fate {
        let there = sent + chance.within(200..=3_000);
        let back = there + chance.within(200..=3_000);
        let fair = Fate {
            acts: Some(there),
            answered: back,
            fault: None,
            is_foul: false,
        };
        let is_out = |outage: &&Outage| {
            let hit = outage.whose.is_none_or(|whose| whose == node);
            hit && (outage.from..outage.to).contains(&sent)
        };
        let outage = self.outages.iter().find(is_out);
        let is_foul = !self.is_calm(sent) && (outage.is_some() || chance.percent(self.trouble));
        if !is_foul {
            return fair;
        }
        let foul = Fate { is_foul, ..fair };
        let total = outage.is_some_and(|outage| outage.total);
        foul.spoiled(sent, there, total, chance)
    }
}

impl Fate {
    /// Draws what is foul about it.
    fn spoiled(self, sent: Micros, there: Micros, total: bool, chance: &mut Chance) -> Self {
        let back = self.answered;
        let noticed = if chance.percent(50) {
            back
        } else {
            back + chance.within(SECOND..=seconds(8))
        };
        let late = chance.within(SECOND / 5..=seconds(3));
        let stalled = chance.within(seconds(3)..=seconds(25));
        match if total { 0 } else { chance.within(0..=6) } {
            0 | 1 => Self {
                acts: None,
                answered: noticed,
                fault: Some(Fault::Lost),
                ..self
            },
            2 => Self {
                answered: noticed,
                fault: Some(Fault::Lost),
                ..self
            },
            3 => Self {
                acts: Some(there + late),
                answered: back + late,
                ..self
            },
            4 => Self {
                acts: Some(there + stalled),
                answered: back + stalled,
                ..self
            },
            // The line breaks while the statement waits in the database, which makes it all the same.
            5 => Self {
                acts: Some(there + stalled),
                answered: there + stalled.min(noticed - sent),
                fault: Some(Fault::Lost),
                ..self
            },
            _ => Self {
                acts: None,
                fault: Some(Fault::Refused),
                ..self
            },
        }
    }
}
