//! What all nodes share: the tables, the calls under way, and everything that is going to happen.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::oneshot;

use super::Broken;
use super::chance::Chance;
use super::incident::{Doom, Incident};
use super::judge::Judge;
use super::tables::Tables;
use super::time::{Micros, at};
use super::trace::Trace;
use super::weather::{Fault, Weather};

/// Something that is going to happen.
pub(super) enum Event {
    /// A call reaches the tables.
    Act(u64),
    /// The answer to a call reaches its node.
    Answer(u64),
    /// A node did something that only the judge learns of.
    Note(Box<dyn FnOnce(&mut World) + Send>),
    Incident(Incident),
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    Question,
    /// A step of a run, with what is counted when it is broken off.
    Deed(&'static str),
    /// The scan for dead runs.
    Scan,
}

type Answered = Result<Box<dyn Any + Send>, Fault>;
type Act = Box<dyn FnOnce(&mut World) -> Box<dyn Any + Send> + Send>;

/// A call to the database that is under way.
struct Call {
    node: usize,
    act: Option<Act>,
    answer: Option<Answered>,
    reply: Option<oneshot::Sender<Answered>>,
}

/// What the world knows of a node.
#[derive(Debug)]
pub(super) struct Seat {
    /// This process's name; another one after each start.
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) frozen: bool,
    /// Its scheduler was started.
    pub(super) started: bool,
    /// How many processes there were.
    pub(super) starts: u64,
    pub(super) stopping_since: Option<Micros>,
    /// Since when nothing kept it from looking for dead runs.
    pub(super) well_since: Micros,
    pub(super) resumed_at: Micros,
    /// Until when trouble with its calls may have consequences.
    pub(super) foul_until: Micros,
    pub(super) deeds: u64,
    /// What happens to it in the middle of its n-th deed.
    pub(super) doom: Option<(u64, Doom)>,
    /// Its own events, by time: it must not run past the next.
    own: BTreeSet<(Micros, u64)>,
}

pub(super) struct World {
    pub(super) now: Micros,
    /// When the simulation ends.
    pub(super) end: Micros,
    queue: BTreeMap<(Micros, u64), (Option<usize>, Event)>,
    last: u64,
    calls: BTreeMap<u64, Call>,
    pub(super) chance: Chance,
    pub(super) weather: Weather,
    pub(super) tables: Tables,
    pub(super) seats: Vec<Seat>,
    pub(super) judge: Judge,
    pub(super) trace: Trace,
}

impl Seat {
    /// Whether it has looked for dead runs undisturbed since.
    pub(super) fn is_well_since(&self, since: Micros) -> bool {
        let looks = self.up && self.started && !self.frozen && self.stopping_since.is_none();
        looks && self.well_since <= since
    }
}

impl World {
    pub(super) fn new(
        chance: Chance,
        weather: Weather,
        seats: usize,
        broken: Broken,
        trace: Trace,
    ) -> Self {
        let seat = |_| Seat {
            name: String::new(),
            up: false,
            frozen: false,
            started: false,
            starts: 0,
            stopping_since: None,
            well_since: 0,
            resumed_at: 0,
            foul_until: 0,
            deeds: 0,
            doom: None,
            own: BTreeSet::new(),
        };
        Self {
            now: 0,
            end: Micros::MAX,
            queue: BTreeMap::new(),
            last: 0,
            calls: BTreeMap::new(),
            chance,
            weather,
            tables: Tables {
                now: at(0),
                broken,
                ..Tables::default()
            },
            seats: (0..seats).map(seat).collect(),
            judge: Judge::default(),
            trace,
        }
    }

    /// Makes something happen later. What happens `to` a node is something that it must not run past.
    pub(super) fn plan(&mut self, time: Micros, to: Option<usize>, event: Event) {
        self.last += 1;
        let key = (time, self.last);
        if let Some(node) = to {
            self.seats[node].own.insert(key);
        }
        self.queue.insert(key, (to, event));
    }

    pub(super) fn next_time(&self) -> Option<Micros> {
        self.queue.first_key_value().map(|((time, _), _)| *time)
    }

    /// Until when a node can run by itself.
    pub(super) fn horizon(&self, node: usize) -> Micros {
        let own = self.seats[node].own.first();
        own.map_or(self.end, |(time, _)| *time).min(self.end)
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let (key, (to, event)) = self.queue.pop_first()?;
        if let Some(node) = to {
            self.seats[node].own.remove(&key);
        }
        self.now = key.0;
        self.tables.now = at(self.now);
        Some(event)
    }

    /// A node sends a call, at its own time.
    pub(super) fn send(
        &mut self,
        node: usize,
        sent: Micros,
        errand: Errand,
        act: Act,
        reply: oneshot::Sender<Answered>,
    ) {
        let fate = self.weather.fate(node, sent, &mut self.chance);
        self.last += 1;
        let id = self.last;
        let seat = &mut self.seats[node];
        if errand == Errand::Scan && fate.is_foul {
            seat.well_since = seat.well_since.max(fate.answered);
        }
        if fate.is_foul {
            let over = fate.answered.max(fate.acts.unwrap_or(0));
            seat.foul_until = seat.foul_until.max(over);
        }
        if let Errand::Deed(what) = errand {
            seat.deeds += 1;
            if seat.doom.is_some_and(|(deed, _)| deed == seat.deeds) {
                self.judge.saw(what);
            }
        }
        if let Some((_, doom)) = seat.doom.take_if(|(deed, _)| *deed == seat.deeds) {
            let moment = self.chance.within(sent..=fate.answered);
            self.plan(
                moment,
                Some(node),
                Event::Incident(Incident::Meet { node, doom }),
            );
        }
        let call = Call {
            node,
            act: fate.acts.is_some().then_some(act),
            answer: fate.fault.map(Err),
            reply: Some(reply),
        };
        self.calls.insert(id, call);
        if let Some(acts) = fate.acts {
            self.plan(acts, None, Event::Act(id));
        }
        self.plan(fate.answered, Some(node), Event::Answer(id));
    }

    pub(super) fn act(&mut self, id: u64) {
        let Some(act) = self.calls.get_mut(&id).and_then(|call| call.act.take()) else {
            return;
        };
        let done = act(self);
        match self.calls.get_mut(&id) {
            Some(call) if call.reply.is_some() => {
                call.answer.get_or_insert(Ok(done));
            }
            _ => {
                self.calls.remove(&id);
            }
        }
    }

    pub(super) fn answer(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let (Some(reply), Some(answer)) = (call.reply.take(), call.answer.take()) {
            // Its caller may have stopped waiting.
            let _ = reply.send(answer);
        }
        if call.act.is_none() {
            self.calls.remove(&id);
        }
    }

    /// A node is no more: what it has sent may still arrive, or not.
    pub(super) fn cut_off(&mut self, node: usize) {
        for call in self.calls.values_mut().filter(|call| call.node == node) {
            call.reply = None;
            if self.chance.percent(50) {
                call.act = None;
            }
        }
        self.calls
            .retain(|_, call| call.node != node || call.act.is_some());
        let own = std::mem::take(&mut self.seats[node].own);
        for key in own {
            // Incidents stay: they are about whatever process is there by then.
            if let Some((to, incident @ Event::Incident(_))) = self.queue.remove(&key) {
                self.seats[node].own.insert(key);
                self.queue.insert(key, (to, incident));
            }
        }
    }

    /// A node is stopped: answers wait for it until `time`.
    pub(super) fn hold_back_until(&mut self, node: usize, time: Micros) {
        let early: Vec<_> = self.seats[node].own.range(..(time, 0)).copied().collect();
        for key in early {
            if matches!(self.queue.get(&key), Some((_, Event::Answer(_))))
                && let Some((to, answer)) = self.queue.remove(&key)
            {
                self.seats[node].own.remove(&key);
                self.plan(time, to, answer);
            }
        }
    }

    pub(super) fn trace(
        &mut self,
        node: usize,
        what: &str,
        number: u64,
        text: impl FnOnce() -> String,
    ) {
        let (now, name) = (self.now, &self.seats[node].name);
        self.trace.step(now, name, what, number, text);
    }
}
