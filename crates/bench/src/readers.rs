//! Many open event streams, read by one thread.

mod crowd;

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

use mio::{Poll, Waker};
use tokio::{sync::Notify, time::timeout};

use crate::{
    connect::Wish,
    error::LoadError,
    payload::{Clock, Shape},
    tally::{Goal, Round, Tally},
};
use crowd::Crowd;

/// Without progress for this long, a server is taken for dead.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Many open event streams, all read by one thread into one buffer: the server needs the machine more.
#[derive(Debug)]
pub(crate) struct Readers {
    shared: Arc<Shared>,
    commands: Option<Sender<Vec<Wish>>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    tally: Mutex<Tally>,
    changed: Notify,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        // It is only counts: a panic elsewhere does not make them worse.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readers {
    /// `shape` is what every event but heartbeats must look like.
    pub(crate) fn start(clock: Clock, shape: Shape) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            tally: Mutex::default(),
            changed: Notify::new(),
        });
        let (commands, wishes) = mpsc::channel();
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), crowd::WAKE)?;
        let mut crowd = Crowd::new(shared.clone(), poll, wishes, clock, shape);
        let thread = std::thread::Builder::new()
            .name("readers".to_owned())
            .spawn(move || crowd.run())?;
        Ok(Self {
            shared,
            commands: Some(commands),
            waker,
            thread: Some(thread),
        })
    }

    /// Opens more streams and waits until all have been answered.
    pub(crate) async fn open(&self, wishes: Vec<Wish>) -> Result<(), LoadError> {
        self.shared.tally().wanted += wishes.len();
        if let Some(commands) = &self.commands {
            // The thread outlives this: it ends when the sender is dropped.
            let _ = commands.send(wishes);
        }
        self.waker.wake().map_err(LoadError::Machine)?;
        self.until(Goal::AllOpen).await
    }

    /// Begins a round before its publish is sent, so that the first reader is not missed.
    pub(crate) fn begin_round(&self, number: u64) {
        self.shared.tally().round = Round {
            number,
            ..Round::default()
        };
    }

    /// Waits until every open reader has the publish.
    pub(crate) async fn finish_round(&self) -> Result<Round, LoadError> {
        self.until(Goal::AllReached).await?;
        Ok(self.shared.tally().round)
    }

    /// What has been seen so far.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Tally) -> T) -> T {
        look(&mut self.shared.tally())
    }

    async fn until(&self, goal: Goal) -> Result<(), LoadError> {
        self.shared.tally().goal = goal;
        let mut before = None;
        loop {
            {
                let tally = self.shared.tally();
                if let Some(reason) = &tally.reason {
                    return Err(LoadError::Lost {
                        lost: tally.lost,
                        reason: reason.clone(),
                    });
                }
                if tally.is_settled() {
                    return Ok(());
                }
            }
            if timeout(TIMEOUT, self.shared.changed.notified())
                .await
                .is_ok()
            {
                continue;
            }
            let tally = self.shared.tally();
            let now = Some((tally.open, tally.round.received));
            if now == before {
                return Err(LoadError::TooLong {
                    open: tally.open,
                    received: tally.round.received,
                    wanted: tally.wanted,
                });
            }
            before = now;
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.commands = None;
        if self.waker.wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
