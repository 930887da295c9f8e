//! What waits for one stream, in order, and what the stream has already got.

mod writing;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use writing::Begun;

use crate::{Ended, Frame};

/// Frames for which an emptied queue may still own memory. Most streams never need more. One that once did
/// gives the memory back.
const IDLE_CAPACITY: usize = 4;

/// Where a waiting frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Handshake,
    History(i64),
    Live(i64),
    Broadcast,
    Last,
    /// What ends the body of a response; no part of the event stream.
    Close,
}

impl Origin {
    fn id(self) -> Option<i64> {
        match self {
            Self::History(id) | Self::Live(id) => Some(id),
            Self::Handshake | Self::Broadcast | Self::Last | Self::Close => None,
        }
    }

    fn is_limited(self) -> bool {
        matches!(self, Self::Live(_) | Self::Broadcast)
    }
}

pub(crate) struct Item {
    pub(crate) origin: Origin,
    pub(crate) frame: Frame,
    /// When it was handed to the hub.
    pub(crate) since: Instant,
}

#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) queue: usize,
    pub(crate) stall: Duration,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// The socket has it.
    Sent,
    Queued,
    /// The client has it, or will get it from what is queued.
    Seen,
    /// This push ended the stream.
    Ended(Ended),
    Closed,
}

/// What becomes of the frames that wait when a stream ends.
pub(crate) enum Waiting {
    Sent,
    Discarded,
}

/// What waits for one stream. Events stand in the order of their ids, whether they are replayed or live: that
/// is how the two meet. Each id is handed out at most once.
pub(crate) struct Mailbox {
    begun: Option<Begun>,
    items: VecDeque<Item>,
    /// How many of `items` count against the limit.
    limited: usize,
    /// The highest id handed out, or that the client said it has.
    delivered: i64,
    /// See [`progress`](Self::progress).
    progress: Instant,
    ended: Option<Ended>,
    /// The client left, or said something where it should only listen.
    left: bool,
}

impl Mailbox {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            begun: None,
            items: VecDeque::new(),
            limited: 0,
            delivered: i64::MIN,
            progress: now,
            ended: None,
            left: false,
        }
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Takes nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        self.left || self.ended.is_some()
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.begun.is_some() || !self.items.is_empty()
    }

    /// When the stream last took something, or what waits (be it the end) began to wait. From its end on
    /// this stands still: a client that takes a little now and then must not occupy an ended stream's place.
    pub(crate) fn progress(&self) -> Instant {
        self.progress
    }

    /// What waits has begun to wait only now: nobody could take it before.
    pub(crate) fn open(&mut self, now: Instant) {
        self.progress = now;
    }

    /// Adds a handshake frame behind the earlier ones and ahead of everything else.
    pub(crate) fn handshake(&mut self, frame: Frame) {
        if self.is_closed() {
            self.withhold_events();
            return;
        }
        let at = self
            .items
            .iter()
            .take_while(|item| item.origin == Origin::Handshake)
            .count();
        self.items.insert(
            at,
            Item {
                origin: Origin::Handshake,
                frame,
                since: self.progress,
            },
        );
    }

    /// Without what was to go before them, later events must not go either: the client would resume
    /// after them.
    fn withhold_events(&mut self) {
        self.items.retain(|item| item.origin.id().is_none());
        self.count_limited();
    }

    pub(crate) fn resume_after(&mut self, id: i64) {
        self.delivered = self.delivered.max(id);
        self.items
            .retain(|item| item.origin.id().is_none_or(|id| id > self.delivered));
        self.count_limited();
    }

    fn count_limited(&mut self) {
        let limited = self.items.iter().filter(|item| item.origin.is_limited());
        self.limited = limited.count();
    }

    pub(crate) fn replay(&mut self, mut history: Vec<(i64, Frame)>) {
        if self.is_closed() {
            self.withhold_events();
            return;
        }
        // In order, each finds its place at once.
        history.sort_by_key(|(id, _)| *id);
        self.items.reserve(history.len());
        for (id, frame) in history {
            if let Some(at) = self.place_of(id) {
                self.items.insert(
                    at,
                    Item {
                        origin: Origin::History(id),
                        frame,
                        since: self.progress,
                    },
                );
            }
        }
    }

    pub(crate) fn push(
        &mut self,
        origin: Origin,
        frame: &Frame,
        limits: &Limits,
        now: Instant,
    ) -> Push {
        if self.is_closed() {
            return Push::Closed;
        }
        let at = match origin.id() {
            None => self.items.len(),
            Some(id) => match self.place_of(id) {
                Some(at) => at,
                None => return Push::Seen,
            },
        };
        if !self.is_waiting() {
            self.progress = now;
        } else if now.duration_since(self.progress) > limits.stall {
            self.end(Ended::Stalled, None, Waiting::Discarded);
            return Push::Ended(Ended::Stalled);
        }
        if self.limited >= limits.queue {
            // What waits is still sent, so that a client that falls behind gets somewhere each time.
            self.end(Ended::TooSlow, None, Waiting::Sent);
            return Push::Ended(Ended::TooSlow);
        }
        self.items.insert(
            at,
            Item {
                origin,
                frame: frame.clone(),
                since: now,
            },
        );
        self.limited += 1;
        Push::Queued
    }

    /// Takes no more frames after `last`. False when the stream had been ended before.
    pub(crate) fn end(&mut self, reason: Ended, last: Option<Frame>, waiting: Waiting) -> bool {
        if self.is_closed() {
            return false;
        }
        self.progress = Instant::now();
        self.ended = Some(reason);
        if let Waiting::Discarded = waiting {
            self.items = VecDeque::new();
            self.limited = 0;
        }
        if let Some(frame) = last {
            self.items.push_back(Item {
                origin: Origin::Last,
                frame,
                since: self.progress,
            });
        }
        true
    }

    pub(crate) fn pop(&mut self, now: Instant) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.moved(now);
        if item.origin.is_limited() {
            self.limited -= 1;
        }
        if let Some(id) = item.origin.id() {
            self.delivered = id;
        }
        if self.items.is_empty() && self.items.capacity() > IDLE_CAPACITY {
            self.items = VecDeque::new();
        }
        Some(item)
    }

    fn moved(&mut self, now: Instant) {
        if !self.is_closed() {
            self.progress = now;
        }
    }

    /// Takes no more frames; what waits is still sent.
    pub(crate) fn leave(&mut self) {
        if !self.is_closed() {
            self.progress = Instant::now();
        }
        self.left = true;
    }

    /// Where an event belongs, or `None` when it must not be sent again. Searched from the back,
    /// where a publisher that keeps the order finds its place at once.
    fn place_of(&self, id: i64) -> Option<usize> {
        if id <= self.delivered {
            return None;
        }
        let mut at = self.items.len();
        for (index, item) in self.items.iter().enumerate().rev() {
            match item.origin {
                Origin::History(other) | Origin::Live(other) if other == id => return None,
                Origin::History(other) | Origin::Live(other) if other < id => break,
                Origin::History(_) | Origin::Live(_) => at = index,
                Origin::Handshake | Origin::Broadcast | Origin::Last | Origin::Close => {}
            }
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests;
