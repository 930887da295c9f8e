//! Nodes that have different schedules for one job: found and reported. No slot comes to harm.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::Core;
use crate::event::Event;
use crate::model::ScheduleOn;
use crate::registered::Registered;
use crate::store::{NodeSchedule, Schedule};

/// A node without a heartbeat for so long is taken for gone.
const GONE_AFTER: TimeDelta = TimeDelta::minutes(5);

/// The schedules of each job that nodes disagree on.
pub(crate) type Conflicts = BTreeMap<String, Vec<ScheduleOn>>;

impl Core {
    /// Lets the other nodes know the schedules of the jobs that were started here.
    pub(super) async fn publish_schedules(&self) -> Result<(), sqlx::Error> {
        let started = self.started.get().into_iter().flatten();
        let schedules = started.map(|index| {
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

    /// Notes since when the jobs that catch up have their schedules: slots from before that are judged by the previous one.
    pub(crate) async fn save_plans(
        &self,
        started: &[usize],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let jobs = started.iter().map(|index| &self.jobs[*index].job);
        let plans = jobs.filter(|job| job.misfire.slots() > 0);
        let plans = plans.map(|job| Schedule {
            job: &job.name,
            text: job.trigger.slots_text(),
        });
        self.store.save_plans(&plans.collect::<Vec<_>>(), now).await
    }

    /// What the living nodes disagree on.
    pub(crate) async fn conflicting_schedules(&self) -> Result<Conflicts, sqlx::Error> {
        let now = self.now();
        let conflicts = self
            .store
            .schedule_conflicts(now - GONE_AFTER, now + GONE_AFTER);
        Ok(by_job(conflicts.await?))
    }

    /// Reports what has changed since the last time, `known`.
    pub(super) async fn compare_schedules(&self, known: &mut Conflicts) -> Result<(), sqlx::Error> {
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
            self.report_conflict(job, schedules.clone());
        }
        for job in known.keys().filter(|job| !found.contains_key(*job)) {
            tracing::info!(job, "the nodes have one schedule for this job again");
            self.report_conflict(job, Vec::new());
        }
        *known = found;
        Ok(())
    }

    fn report_conflict(&self, job: &str, schedules: Vec<ScheduleOn>) {
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
