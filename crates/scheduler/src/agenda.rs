//! When each job is to be looked at next. Idle jobs are entries in here and nothing else: no task, no timer.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::Registered;
use crate::misfire::{Candidate, Judged, Verdict};
use crate::nudges::Nudge;
use crate::ticking::{Beat, Stepped};

/// How often the jobs that catch up are looked at for missed slots.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(15);

/// The jobs of a scheduler that was started, by index.
#[derive(Debug)]
pub(crate) struct Agenda {
    entries: Vec<Option<Entry>>,
    /// Of the idle jobs.
    due: BTreeSet<(DateTime<Utc>, usize)>,
    /// The jobs that catch up, and when all of them are looked at next.
    catchers: Vec<usize>,
    look_at: DateTime<Utc>,
    /// Those that are to be looked at as soon as no look is under way.
    to_look: BTreeSet<usize>,
    looking: bool,
}

#[derive(Debug)]
struct Entry {
    /// None while a step is under way.
    beat: Option<Beat>,
    /// How many steps it has made: what was judged before a step says nothing after it.
    steps: u32,
    /// Nudged in a step.
    ended: bool,
    woken: bool,
    /// Was to be looked at in a step.
    owes_look: bool,
    /// Whether anything may be owed. It is not once the newest slots were seen to be settled, until there is a newer one.
    open: bool,
    catches_up: bool,
}

/// A look for missed slots that is due.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// To be asked about.
    pub(crate) asked: Vec<Candidate>,
    /// Known to owe nothing.
    pub(crate) settled: Vec<usize>,
}

/// What follows from a look.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// To be run now: the jobs with their beats, and what they owe.
    pub(crate) owed: Vec<(usize, Beat, Verdict)>,
    /// Nothing is to be done now.
    pub(crate) done: Vec<usize>,
}

impl Agenda {
    /// Of those of the jobs that are `ours`, from `began` on.
    pub(crate) fn new(jobs: &[Registered], ours: &[usize], began: DateTime<Utc>) -> Self {
        let mut entries: Vec<_> = jobs.iter().map(|_| None).collect();
        let mut due = BTreeSet::new();
        for &index in ours {
            let beat = Beat::first(&jobs[index], began);
            due.insert((beat.at(), index));
            let catches_up = jobs[index].job.misfire.slots() > 0;
            entries[index] = Some(Entry {
                beat: Some(beat),
                steps: 0,
                ended: false,
                woken: false,
                owes_look: false,
                open: catches_up,
                catches_up,
            });
        }
        let catches_up = |index: &usize| jobs[*index].job.misfire.slots() > 0;
        Self {
            entries,
            due,
            catchers: ours.iter().copied().filter(catches_up).collect(),
            look_at: began,
            to_look: BTreeSet::new(),
            looking: false,
        }
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> DateTime<Utc> {
        let look = (!self.looking && !self.catchers.is_empty()).then_some(self.look_at);
        let job = self.due.first().map(|(at, _)| *at);
        let next = [look, job].into_iter().flatten().min();
        next.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The jobs that are due, in the order of their times; each is busy until it is [put back](Self::put_back).
    pub(crate) fn take_due(&mut self, now: DateTime<Utc>) -> Vec<(usize, Beat)> {
        let mut taken = Vec::new();
        while let Some(&(at, index)) = self.due.first()
            && at <= now
        {
            if let Some(beat) = self.take(index) {
                taken.push((index, beat));
            }
        }
        taken
    }

    fn take(&mut self, index: usize) -> Option<Beat> {
        let entry = self.entries.get_mut(index)?.as_mut()?;
        let beat = entry.beat.take()?;
        self.due.remove(&(beat.at(), index));
        entry.steps = entry.steps.wrapping_add(1);
        Some(beat)
    }

    /// A step of the job has ended.
    pub(crate) fn put_back(&mut self, index: usize, stepped: Stepped, now: DateTime<Utc>) {
        let Some(entry) = self.entries.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let mut beat = stepped.beat;
        let nudges = [
            (std::mem::take(&mut entry.ended), Nudge::Ended),
            (std::mem::take(&mut entry.woken), Nudge::Woken),
        ];
        for (_, nudge) in nudges.into_iter().filter(|(given, _)| *given) {
            beat.hurry(nudge, now);
        }
        entry.open |= stepped.newer && entry.catches_up;
        if std::mem::take(&mut entry.owes_look) || (stepped.missed && entry.catches_up) {
            self.to_look.insert(index);
        }
        self.due.insert((beat.at(), index));
        entry.beat = Some(beat);
    }

    /// Something wants the job to be looked at now.
    pub(crate) fn nudge(&mut self, index: usize, nudge: Nudge, now: DateTime<Utc>) {
        let Some(entry) = self.entries.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        match (&mut entry.beat, nudge) {
            (Some(beat), _) => {
                self.due.remove(&(beat.at(), index));
                beat.hurry(nudge, now);
                self.due.insert((beat.at(), index));
            }
            (None, Nudge::Ended) => entry.ended = true,
            (None, Nudge::Woken) => entry.woken = true,
        }
    }

    /// The look for missed slots that is due, if none is under way. It is over when it is [judged](Self::judged).
    pub(crate) fn take_look(&mut self, now: DateTime<Utc>) -> Option<Look> {
        if self.looking {
            return None;
        }
        if self.look_at <= now {
            self.look_at = now + LOOK_BACK;
            self.to_look.extend(&self.catchers);
        }
        let mut look = Look::default();
        for index in std::mem::take(&mut self.to_look) {
            let Some(entry) = self.entries.get_mut(index).and_then(Option::as_mut) else {
                continue;
            };
            match &entry.beat {
                None => entry.owes_look = true,
                Some(_) if !entry.open => look.settled.push(index),
                Some(beat) => look.asked.push(Candidate {
                    job: index,
                    steps: entry.steps,
                    waiting: beat.waiting(),
                }),
            }
        }
        self.looking = !look.asked.is_empty();
        Some(look)
    }

    /// What a look found. Those that took a step meanwhile are looked at again.
    pub(crate) fn judged(&mut self, judged: Vec<Judged>) -> Looked {
        self.looking = false;
        let mut looked = Looked::default();
        for Judged { candidate, verdict } in judged {
            let index = candidate.job;
            let Some(entry) = self.entries.get_mut(index).and_then(Option::as_mut) else {
                continue;
            };
            if entry.steps != candidate.steps || entry.beat.is_none() {
                self.to_look.insert(index);
                continue;
            }
            entry.open = verdict.open;
            if verdict.owed.is_empty() {
                looked.done.push(index);
            } else if let Some(beat) = self.take(index) {
                looked.owed.push((index, beat, verdict));
            }
        }
        looked
    }
}
