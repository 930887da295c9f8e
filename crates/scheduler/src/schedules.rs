//! Nodes that have different schedules for one job: found, told, and of no harm to a slot.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use ground::chain;

use crate::core::{Core, Registered};
use crate::event::Event;
use crate::model::ScheduleOn;
use crate::store::{NodeSchedule, Schedule};

/// A node that has not said for so long that it lives is taken for gone.
const LIVING: TimeDelta = TimeDelta::minutes(5);

/// How often a node says that it lives, and hears whose schedules differ from its own.
const EVERY: TimeDelta = TimeDelta::minutes(1);
/// How many times apart it says again what its schedules are, should somebody have taken it for gone.
const NOTE_EVERY: u32 = 60;

/// The schedules of each job that nodes disagree on.
pub(crate) type Conflicts = BTreeMap<String, Vec<ScheduleOn>>;

impl Core {
    /// Lets the other nodes know of this one until the scheduler stops. Apart from the looks for dead runs, which must not wait for it.
    pub(crate) async fn keep_in_touch(self: Arc<Self>) {
        let mut noted = false;
        let mut conflicts = Conflicts::new();
        for time in 0_u32.. {
            let began = self.now();
            noted &= !time.is_multiple_of(NOTE_EVERY);
            if let Err(error) = self.renew(&mut noted, &mut conflicts).await {
                tracing::warn!(
                    error = chain(&error),
                    "could not renew this node's name or compare its schedules; will be tried again in a minute"
                );
            }
            self.announce(Event::Renewed);
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = self.clock.sleep_until(began + EVERY) => {}
            }
        }
    }

    async fn renew(&self, noted: &mut bool, conflicts: &mut Conflicts) -> Result<(), sqlx::Error> {
        self.introduce().await?;
        if !*noted {
            self.note_schedules().await?;
            *noted = true;
        }
        self.compare_schedules(conflicts).await
    }

    /// Lets the other nodes know the schedules of the jobs that were started here.
    async fn note_schedules(&self) -> Result<(), sqlx::Error> {
        let ours = self.ours.get().into_iter().flatten();
        let schedules = ours.map(|index| {
            let registered = &self.jobs[*index];
            Schedule {
                job: &registered.job.name,
                text: text(registered),
            }
        });
        let schedules: Vec<_> = schedules.collect();
        self.store
            .save_schedules(&self.short_name(), &schedules)
            .await
    }

    /// What the living nodes disagree on.
    pub(crate) async fn conflicting_schedules(&self) -> Result<Conflicts, sqlx::Error> {
        let since = self.now() - LIVING;
        Ok(by_job(self.store.schedule_conflicts(since).await?))
    }

    /// Says what has changed since the last time, `known`.
    async fn compare_schedules(&self, known: &mut Conflicts) -> Result<(), sqlx::Error> {
        let mut found = self.conflicting_schedules().await?;
        found.retain(|job, _| self.by_name.contains_key(job));
        metrics::gauge!("scheduler_schedule_conflicts")
            .set(u32::try_from(found.len()).unwrap_or(u32::MAX));
        for (job, schedules) in &found {
            if known.get(job) == Some(schedules) {
                continue;
            }
            tracing::warn!(
                job,
                schedules = describe(schedules),
                "nodes have different schedules for this job: each runs its own slots, and a slot that they share runs once; give all nodes one configuration"
            );
            self.tell_conflict(job, schedules.clone());
        }
        for job in known.keys().filter(|job| !found.contains_key(*job)) {
            tracing::info!(job, "the nodes have one schedule for this job again");
            self.tell_conflict(job, Vec::new());
        }
        *known = found;
        Ok(())
    }

    fn tell_conflict(&self, job: &str, schedules: Vec<ScheduleOn>) {
        self.announce(Event::ScheduleConflict {
            job: job.to_owned(),
            schedules,
        });
    }
}

/// A job's schedule, with all that its slots depend on.
fn text(registered: &Registered) -> String {
    let trigger = &registered.job.trigger;
    match trigger.zone() {
        Some(zone) => format!("{trigger} in {zone}"),
        None => trigger.to_string(),
    }
}

/// From rows in the order of job, schedule and node.
fn by_job(rows: Vec<NodeSchedule>) -> Conflicts {
    let mut conflicts = Conflicts::new();
    for row in rows {
        let schedules = conflicts.entry(row.job).or_default();
        match schedules.last_mut() {
            Some(last) if last.schedule == row.text => last.nodes.push(row.node),
            _ => schedules.push(ScheduleOn {
                schedule: row.text,
                nodes: vec![row.node],
            }),
        }
    }
    conflicts
}

fn describe(schedules: &[ScheduleOn]) -> String {
    let each = schedules
        .iter()
        .map(|on| format!("`{}` on {}", on.schedule, on.nodes.join(", ")));
    each.collect::<Vec<_>>().join("; ")
}
