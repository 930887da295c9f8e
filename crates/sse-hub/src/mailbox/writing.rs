//! What waits for a stream, as the socket takes it: in bytes, not in frames.

use std::io::IoSlice;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::{Mailbox, Origin, Push};

/// A frame of which the socket has taken a part: nothing else may come before its rest.
pub(super) struct Begun {
    rest: Bytes,
    origin: Origin,
    since: Instant,
}

impl Mailbox {
    /// Nothing waits and the stream still receives: a frame of this origin may go straight to the
    /// socket. Otherwise what became of it, or `None` when it has to wait.
    pub(crate) fn straight(&self, origin: Origin) -> Result<(), Option<Push>> {
        if self.is_closed() {
            Err(Some(Push::Closed))
        } else if self.is_waiting() {
            Err(None)
        } else if origin.id().is_some_and(|id| id <= self.delivered) {
            Err(Some(Push::Seen))
        } else {
            Ok(())
        }
    }

    /// The socket has begun to take a frame that did not wait; `rest` is what it left.
    pub(crate) fn begin(&mut self, origin: Origin, rest: Bytes, now: Instant) {
        self.moved(now);
        if let Some(id) = origin.id() {
            self.delivered = id;
        }
        if !rest.is_empty() {
            self.begun = Some(Begun {
                rest,
                origin,
                since: now,
            });
        }
    }

    /// The chunks that wait, as many as fit.
    pub(crate) fn chunks<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let begun = self.begun.iter().map(|begun| &begun.rest);
        let waiting = begun.chain(self.items.iter().map(|item| item.frame.chunk()));
        slices
            .iter_mut()
            .zip(waiting)
            .map(|(slice, bytes)| *slice = IoSlice::new(bytes))
            .count()
    }

    /// The socket took `taken` bytes of what waits. Tells of each frame that it now has whole.
    pub(crate) fn advance(
        &mut self,
        mut taken: usize,
        now: Instant,
        mut sent: impl FnMut(Origin, Instant),
    ) {
        self.moved(now);
        while taken > 0 {
            if self.begun.is_none() {
                let Some(item) = self.pop(now) else { return };
                self.begun = Some(Begun {
                    rest: item.frame.chunk().clone(),
                    origin: item.origin,
                    since: item.since,
                });
            }
            let step = self.begun.as_ref().map_or(0, |begun| begun.rest.len());
            if let Some(begun) = &mut self.begun
                && taken < step
            {
                begun.rest.advance(taken);
                return;
            }
            taken -= step;
            if let Some(begun) = self.begun.take() {
                sent(begun.origin, begun.since);
            }
        }
    }
}
