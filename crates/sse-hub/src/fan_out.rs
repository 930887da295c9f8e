//! Sends one frame to many streams, and counts what became of it.

use tokio::time::Instant;

use crate::Frame;
use crate::connection::Connection;
use crate::mailbox::{Limits, Origin, Push};
use crate::telemetry::Telemetry;

/// One frame on its way to many streams.
pub(crate) struct FanOut<'a> {
    origin: Origin,
    frame: &'a Frame,
    limits: Limits,
    telemetry: &'a Telemetry,
    pub(crate) now: Instant,
    pub(crate) taken: usize,
    /// Streams among them that receive no more.
    pub(crate) closed: usize,
}

impl<'a> FanOut<'a> {
    pub(crate) fn new(
        origin: Origin,
        frame: &'a Frame,
        limits: Limits,
        telemetry: &'a Telemetry,
        now: Instant,
    ) -> Self {
        Self {
            origin,
            frame,
            limits,
            telemetry,
            now,
            taken: 0,
            closed: 0,
        }
    }

    /// Call it without a lock: it wakes the stream's reader.
    pub(crate) fn push(&mut self, stream: &Connection) {
        let (push, waker) = stream.push(self.origin, self.frame, &self.limits, self.now);
        match push {
            Push::Sent => {
                self.telemetry.sent(self.origin, self.now);
                self.taken += 1;
            }
            Push::Queued => self.taken += 1,
            Push::Seen => {}
            Push::Closed => self.closed += 1,
            Push::Ended(reason) => {
                self.telemetry.dropped(reason);
                self.closed += 1;
            }
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
