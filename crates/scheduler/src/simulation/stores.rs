//! The tables as a process of the simulation reaches them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Broken;
use super::line::Line;
use super::tables::Row;
use super::weather::Fault;
use super::world::{Errand, World};
use crate::job::Progress;
use crate::model::{Run, RunStatus};
use crate::store::{
    History, JobRow, NewRun, NewRunOutcome, NodeSchedule, Overview, Schedule, SlotQuery, Store,
};

/// The database takes no end of one run in so many, however often it is asked.
const REFUSED: i64 = 29;

impl From<Fault> for sqlx::Error {
    fn from(fault: Fault) -> Self {
        ground::unexpected(format!("simulated: {fault:?}"))
    }
}

#[async_trait]
impl Store for Line {
    async fn register_jobs(&self, names: &[&str], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let act = move |world: &mut World| {
            for name in names {
                let row = JobRow {
                    created_at: Some(now),
                    ..JobRow::default()
                };
                world.tables.jobs.entry(name).or_insert(row);
            }
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    /// The nodes have one configuration here.
    async fn save_schedules(&self, _: &str, _: &[Schedule<'_>]) -> Result<(), sqlx::Error> {
        Ok(self.call(Errand::Question, |_| ()).await?)
    }

    async fn save_plans(&self, _: &[Schedule<'_>], _: DateTime<Utc>) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn forget_schedules(&self, _: &str) -> Result<(), sqlx::Error> {
        Ok(self.call(Errand::Question, |_| ()).await?)
    }

    async fn schedule_conflicts(
        &self,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<Vec<NodeSchedule>, sqlx::Error> {
        Ok(self.call(Errand::Question, |_| Vec::new()).await?)
    }

    async fn register_node(&self, node: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let node = node.to_owned();
        let act = move |world: &mut World| {
            world.tables.nodes.insert(node, now);
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    async fn is_known_node(&self, node: &str) -> Result<bool, sqlx::Error> {
        let node = node.to_owned();
        Ok(self
            .call(Errand::Question, move |world| {
                world.tables.nodes.contains_key(&node)
            })
            .await?)
    }

    async fn pause(&self, name: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let (node, name) = (self.node, name.to_owned());
        let act = move |world: &mut World| {
            world.trace(node, "pauses", 0, || name.clone());
            let row = world.tables.jobs.entry(name).or_default();
            row.created_at.get_or_insert(now);
            row.paused = true;
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    async fn resume(&self, name: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let (node, name) = (self.node, name.to_owned());
        let act = move |world: &mut World| {
            world.trace(node, "resumes", 0, || name.clone());
            let row = world.tables.jobs.entry(name).or_default();
            row.created_at.get_or_insert(now);
            if row.paused {
                row.paused = false;
                row.resumed_at = Some(now);
            }
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    async fn ran_elsewhere(
        &self,
        name: &str,
        slot: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let (node, name) = (self.node, name.to_owned());
        let act = move |world: &mut World| {
            world.trace(node, "ran elsewhere", 0, || format!("{name} {slot}"));
            let row = world.tables.jobs.entry(name).or_default();
            row.created_at.get_or_insert(now);
            row.foreign_slot = row.foreign_slot.max(Some(slot));
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    async fn job(&self, name: &str) -> Result<Option<JobRow>, sqlx::Error> {
        let name = name.to_owned();
        Ok(self
            .call(Errand::Question, move |world| {
                world.tables.jobs.get(&name).copied()
            })
            .await?)
    }

    async fn run(&self, id: i64) -> Result<Option<Run>, sqlx::Error> {
        Ok(self
            .call(Errand::Question, move |world| {
                world.tables.row(id).map(|row| row.run.clone())
            })
            .await?)
    }

    /// No operator looks on.
    async fn overview(&self, names: &[&str]) -> Result<Vec<Overview>, sqlx::Error> {
        Ok(vec![Overview::default(); names.len()])
    }

    async fn slot_runs(&self, name: &str, slot: DateTime<Utc>) -> Result<Vec<Run>, sqlx::Error> {
        let name = name.to_owned();
        let act = move |world: &mut World| {
            let rows = world.tables.slot_rows(&name, slot);
            let mut runs: Vec<_> = rows.map(|row| row.run.clone()).collect();
            runs.sort_by_key(|run| run.attempt);
            runs
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    async fn histories(&self, asked: &[SlotQuery<'_>]) -> Result<Vec<History>, sqlx::Error> {
        let asked = asked
            .iter()
            .map(|asked| (asked.job.to_owned(), asked.slots.clone()));
        let asked: Vec<_> = asked.collect();
        let act = move |world: &mut World| {
            let tables = &world.tables;
            let history =
                |(name, slots): &(String, Vec<DateTime<Utc>>)| tables.history(name, slots);
            asked.iter().map(history).collect()
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    async fn owner(&self, name: &str, owner: &str) -> Result<Option<RunStatus>, sqlx::Error> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        let act = move |world: &mut World| {
            let row = world.tables.owner(&name, &owner);
            row.map(|row| row.run.status)
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    async fn history(
        &self,
        name: &str,
        limit: u64,
        before_id: Option<i64>,
    ) -> Result<Vec<Run>, sqlx::Error> {
        let name = name.to_owned();
        let act = move |world: &mut World| {
            let runs = world.tables.runs.iter().rev().map(|row| &row.run);
            runs.filter(|run| run.job_name == name)
                .filter(|run| before_id.is_none_or(|id| run.id < id))
                .take(limit as usize)
                .cloned()
                .collect()
        };
        Ok(self.call(Errand::Question, act).await?)
    }

    async fn begin_run(&self, run: &NewRun<'_>) -> Result<NewRunOutcome, sqlx::Error> {
        let node = self.node;
        self.check_begins();
        let row = Row {
            run: Run {
                id: 0,
                job_name: run.job.to_owned(),
                scheduled_at: run.request.slot,
                started_at: run.started_at,
                finished_at: None,
                node: run.node.to_owned(),
                attempt: run.request.attempt,
                status: RunStatus::Running,
                cause: run.request.cause,
                affected: 0,
                retries: 0,
                error: None,
            },
            lock_owner: Some(run.lock_owner.to_owned()),
            slot_node: String::new(),
        };
        if self.world().tables.broken == Broken::EntryInTwoSteps {
            let asked = row.clone();
            if let Some(refused) = self
                .call(Errand::Deed("broken off: entry"), move |world| {
                    world.tables.admit(&asked)
                })
                .await?
            {
                return Ok(refused);
            }
            return Ok(self
                .call(Errand::Deed("broken off: entry"), move |world| {
                    world.begin_run(node, row)
                })
                .await?);
        }
        let act = move |world: &mut World| match world.tables.admit(&row) {
            Some(refused) => refused,
            None => world.begin_run(node, row),
        };
        Ok(self.call(Errand::Deed("broken off: entry"), act).await?)
    }

    /// The database's clock is nobody's to set here.
    async fn running_jobs(&self) -> Result<Vec<String>, sqlx::Error> {
        Ok(Vec::new())
    }

    async fn abandon_dead(&self, now: DateTime<Utc>, why: &str) -> Result<Vec<Run>, sqlx::Error> {
        let (node, why) = (self.node, why.to_owned());
        Ok(self
            .call(Errand::Scan, move |world| {
                world.abandon_dead(node, now, &why)
            })
            .await?)
    }

    async fn finish(&self, run: &Run) -> Result<bool, sqlx::Error> {
        if run.id % REFUSED == 0 {
            self.call(Errand::Question, |world| world.judge.saw("end refused"))
                .await?;
            return Err(ground::unexpected("simulated: a row that will not be"));
        }
        let (node, run) = (self.node, run.clone());
        Ok(self
            .call(Errand::Deed("broken off: end"), move |world| {
                world.finish(node, &run)
            })
            .await?)
    }

    async fn insert_finished(
        &self,
        run: &Run,
        slot_node: &str,
    ) -> Result<Option<i64>, sqlx::Error> {
        let node = self.node;
        let row = Row {
            run: run.clone(),
            lock_owner: None,
            slot_node: slot_node.to_owned(),
        };
        Ok(self
            .call(Errand::Deed("broken off: record"), move |world| {
                world.insert_finished(node, row)
            })
            .await?)
    }

    async fn prune(&self, _: DateTime<Utc>, _: u64) -> Result<u64, sqlx::Error> {
        Ok(0)
    }

    async fn prune_leftovers(&self, _: DateTime<Utc>) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn save_progress(
        &self,
        _: i64,
        _: Progress,
        _: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn end_progress(&self, _: i64) -> Result<(), sqlx::Error> {
        Ok(())
    }
}
