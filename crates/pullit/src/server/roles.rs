//! What a node does.

use std::str::FromStr;

use crate::schedulers;

/// What a node does. All of it, unless it is asked for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Answers HTTP.
    pub api: bool,
    /// Runs the jobs.
    pub scheduler: bool,
    /// Delivers what the outbox holds.
    pub relay: bool,
    /// Reads documents and makes questions.
    pub worker: bool,
}

impl Roles {
    /// Every role.
    pub const ALL: Self = Self {
        api: true,
        scheduler: true,
        relay: true,
        worker: true,
    };

    /// Whether a node with these roles runs this job by itself.
    pub(crate) fn run(self, job: &str) -> bool {
        match job {
            schedulers::RELAY => self.relay,
            schedulers::HEARTBEAT => self.api,
            _ => self.scheduler,
        }
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = Self {
            api: false,
            scheduler: false,
            relay: false,
            worker: false,
        };
        for word in text.split(',').map(str::trim) {
            match word {
                "api" => roles.api = true,
                "scheduler" => roles.scheduler = true,
                "relay" => roles.relay = true,
                "worker" => roles.worker = true,
                _ => {
                    return Err(format!(
                        "`{word}` is no role; the roles are api, scheduler, relay, worker"
                    ));
                }
            }
        }
        Ok(roles)
    }
}
