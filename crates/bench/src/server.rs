//! A server that is measured.

mod answers;
mod child;
mod nchan;

use std::{net::SocketAddr, path::PathBuf};

use serde_json::Value;

use crate::{connect::Wish, error::LoadError, publisher::Publisher};
pub(crate) use answers::Answers;
use child::Child;

/// What is measured.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A program that takes `--listen ADDRESS`, such as the example `event_server` of `sse-hub`.
    Program(PathBuf),
    /// The same, running already; without a process nothing is said of its memory and processor time.
    Running {
        address: SocketAddr,
        process: Option<u32>,
    },
    /// nginx with nchan, from this program.
    Nchan { nginx: PathBuf, workers: usize },
}

/// Whom the readers are, which the two servers tell apart by different means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Everybody gets the same; nchan has one channel for that.
    Shared,
    /// Each can be reached alone.
    Own,
}

/// A server that is up. When dropped it is stopped, if it was started here.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) process: Option<u32>,
    is_nchan: bool,
    keys: Keys,
    _child: Option<Child>,
}

impl Server {
    /// With heartbeats every three seconds, or, where that can be chosen, without.
    pub(crate) async fn start(
        subject: &Subject,
        keys: Keys,
        heartbeats: bool,
    ) -> Result<Self, LoadError> {
        let (address, child) = match subject {
            Subject::Running { address, process } => {
                return Ok(Self {
                    address: *address,
                    process: *process,
                    is_nchan: false,
                    keys,
                    _child: None,
                });
            }
            Subject::Program(program) => child::start(program).await?,
            Subject::Nchan { nginx, workers } => nchan::start(nginx, *workers, heartbeats).await?,
        };
        Ok(Self {
            address,
            process: Some(child.id()),
            is_nchan: matches!(subject, Subject::Nchan { .. }),
            keys,
            _child: Some(child),
        })
    }

    /// What the readers with these numbers ask for.
    pub(crate) fn wishes(&self, numbers: impl Iterator<Item = usize>) -> Vec<Wish> {
        let wish = |number| Wish {
            server: self.address,
            path: format!("/subscribe?key={}", self.key(number)),
        };
        numbers.map(wish).collect()
    }

    /// Where to publish what everybody gets.
    pub(crate) fn broadcast_path(&self) -> String {
        if self.is_nchan {
            format!("/publish?key={}", self.key(0))
        } else {
            "/broadcast".to_owned()
        }
    }

    /// Where to publish to one reader.
    pub(crate) fn publish_path(&self, number: usize) -> String {
        format!("/publish?key={}", self.key(number))
    }

    /// How it answers.
    pub(crate) fn answers(&self) -> Answers {
        if self.is_nchan {
            Answers::Nchan
        } else {
            Answers::Ours
        }
    }

    /// An error unless a publish reached as many streams as it should.
    pub(crate) fn reached(&self, answer: &str, wanted: u64) -> Result<(), LoadError> {
        self.answers().reached(answer, wanted)
    }

    /// What it says of itself, if it can.
    pub(crate) async fn stats(
        &self,
        publisher: &mut Publisher,
    ) -> Result<Option<Value>, LoadError> {
        if self.is_nchan {
            return Ok(None);
        }
        let stats = publisher.get("/stats").await?;
        Ok(serde_json::from_str(&stats).ok())
    }

    /// Readers from [`STALLED`] on are others than the crowd.
    fn key(&self, number: usize) -> usize {
        match (self.is_nchan, self.keys) {
            (true, Keys::Shared) => number / STALLED,
            _ => number,
        }
    }
}

/// The first number of the readers that never read.
pub(crate) const STALLED: usize = 1_000_000;
