//! Whether a node can do the work of its roles, part by part.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::relay_pulse::RelayPulse;
use crate::app::App;
use crate::platform::write_probe::WriteProbe;
use crate::server::{Roles, Supervisor, tasks};

/// A part that does not answer within this is not ready.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What the probe answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether every role of this node, or the one that was asked for, can do its work.
    pub(super) ready: bool,
    /// `up` or `down`: whether the database takes writes.
    database: &'static str,
    /// `up` or `down`: whether the object storage answers.
    storage: &'static str,
    /// `up` or `down`: whether the message broker answers.
    broker: &'static str,
    /// Each role of this node.
    roles: BTreeMap<&'static str, RoleReadiness>,
}

/// Whether a role can do its work.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RoleReadiness {
    ready: bool,
    /// What it waits for: a part, or a task of this node that died.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waits_for: Vec<&'static str>,
}

/// What a role needs: parts, and tasks of this node.
struct Needs {
    role: &'static str,
    has: fn(Roles) -> bool,
    parts: &'static [&'static str],
    tasks: &'static [&'static str],
}

/// The relay goes on without a broker: what it cannot send is put off.
#[rustfmt::skip]
const NEEDS: [Needs; 4] = [
    Needs { role: "api", has: |roles| roles.api, parts: &["database", "storage"], tasks: &[tasks::HTTP, tasks::FEED] },
    Needs { role: "scheduler", has: |roles| roles.scheduler, parts: &["database", "storage"], tasks: &[] },
    Needs { role: "relay", has: |roles| roles.relay, parts: &["database", "relay"], tasks: &[tasks::PULSE] },
    Needs { role: "worker", has: |roles| roles.worker, parts: &["database", "storage", "broker"], tasks: &[tasks::WORKER, tasks::EXTRACTION] },
];

/// Looks at the parts, and remembers how it found them.
pub(super) struct Prober {
    roles: Roles,
    writes: WriteProbe,
    supervisor: Supervisor,
    relay: RelayPulse,
    /// How each part was found last: only a change is logged.
    known: Mutex<HashMap<&'static str, bool>>,
}

impl Prober {
    pub(super) fn new(app: &App, roles: Roles, supervisor: Supervisor, relay: RelayPulse) -> Self {
        Self {
            roles,
            writes: WriteProbe::new(app.db.clone()),
            supervisor,
            relay,
            known: Mutex::default(),
        }
    }

    /// Whether all roles of this node can do their work, or this one alone.
    pub(super) async fn probe(&self, app: &App, role: Option<&str>) -> Readiness {
        let (database, storage, broker) = tokio::join!(
            self.answers("database", self.writes.check((app.now)())),
            self.answers("storage", app.storage.check()),
            self.answers("broker", app.broker.check()),
        );
        let relay = !self.roles.relay || self.relay.beats();
        self.note("relay", relay, || {
            "its last run failed, or it has not run for long".to_owned()
        });
        let parts = [
            ("database", database),
            ("storage", storage),
            ("broker", broker),
            ("relay", relay),
        ];
        let mut roles = BTreeMap::new();
        for needs in NEEDS.iter().filter(|needs| (needs.has)(self.roles)) {
            let down = parts.iter().filter(|(_, up)| !up).map(|(part, _)| *part);
            let down = down.filter(|part| needs.parts.contains(part));
            let tasks = needs.tasks.iter().copied();
            let dead = tasks.filter(|task| !self.supervisor.is_up(task));
            let waits_for: Vec<_> = down.chain(dead).collect();
            let ready = waits_for.is_empty();
            roles.insert(needs.role, RoleReadiness { ready, waits_for });
        }
        let ready = match role {
            None => roles.values().all(|role| role.ready),
            Some(role) => roles.get(role).is_some_and(|role| role.ready),
        };
        let word = |up| if up { "up" } else { "down" };
        Readiness {
            ready,
            database: word(database),
            storage: word(storage),
            broker: word(broker),
            roles,
        }
    }

    async fn answers<T, E: Display>(
        &self,
        part: &'static str,
        asked: impl Future<Output = Result<T, E>>,
    ) -> bool {
        let (up, error) = match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(Ok(_)) => (true, None),
            Ok(Err(error)) => (false, Some(error.to_string())),
            Err(_) => (false, None),
        };
        self.note(part, up, || {
            error.unwrap_or_else(|| format!("no answer within {} s", TIMEOUT.as_secs()))
        });
        up
    }

    /// Logs a part that changed. A prober asks every few seconds, for as long as an outage lasts.
    fn note(&self, part: &'static str, up: bool, why: impl FnOnce() -> String) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.insert(part, up).unwrap_or(true);
        drop(known);
        match (before, up) {
            (true, false) => {
                tracing::warn!(
                    part,
                    error = why(),
                    "not ready: a part that is needed is down"
                );
            }
            (false, true) => tracing::info!(part, "a part that was down is up again"),
            _ => {}
        }
    }
}
