//! What is published: a number that says when it was sent.

use std::time::Instant;

use crate::parser::{Event, sum};

const DIGITS: usize = 16;

/// The clock of one run. Its readings are the numbers of what is published, so that whoever receives
/// something knows when it was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start.
    pub(crate) fn now(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// What is published: a number of sixteen digits, and filling up to a length.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    filling: String,
}

impl Payload {
    /// Of `length` bytes, but at least the number.
    pub(crate) fn new(length: usize) -> Self {
        let letters = ('a'..='z').cycle();
        let filling = letters.take(length.saturating_sub(DIGITS + 1)).collect();
        Self { filling }
    }

    pub(crate) fn text(&self, number: u64) -> String {
        format!("{number:0DIGITS$} {}", self.filling)
    }

    /// What an event that arrived whole looks like, the number aside.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            length: (DIGITS + 1 + self.filling.len()) as u32,
            sum: sum(self.filling.as_bytes()).wrapping_add(u32::from(b' ')),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    length: u32,
    sum: u32,
}

impl Shape {
    pub(crate) fn fits(self, event: &Event) -> bool {
        (event.length, event.sum) == (self.length, self.sum)
    }
}
