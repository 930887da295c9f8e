//! Questions about many jobs at once. A list goes as one parameter, which both databases read as rows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ground::{FromRow, Statements, Value, time_text};
use serde::Serialize;

use super::{DatabaseStore, sql};
use crate::job::Progress;
use crate::model::Run;
use crate::store::rows::{History, JobRow, Overview, Schedule, ScheduleChange, SlotQuery};

/// How many jobs are asked for in one statement.
const CHUNK: usize = 2_000;

#[derive(Serialize)]
struct AskedJson<'a> {
    job: &'a str,
    oldest: String,
    slots: Vec<String>,
}

#[derive(Serialize)]
struct ScheduleJson<'a> {
    job: &'a str,
    schedule: &'a str,
}

/// Rows with more than one column. Their times are text as SQLite's tables store it, which PostgreSQL reads too.
fn json(rows: impl Iterator<Item = impl Serialize>) -> Result<Value, sqlx::Error> {
    let rows: Vec<_> = rows.collect();
    let text = serde_json::to_string(&rows).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(text.into())
}

fn schedules_json(schedules: &[Schedule<'_>]) -> Result<Value, sqlx::Error> {
    json(schedules.iter().map(|schedule| ScheduleJson {
        job: schedule.job,
        schedule: &schedule.text,
    }))
}

fn texts(names: &[&str]) -> Value {
    Value::texts(names.iter().copied())
}

impl DatabaseStore {
    pub(super) async fn insert_jobs(
        &self,
        names: &[&str],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        for names in names.chunks(CHUNK) {
            let values = vec![texts(names), now.into()];
            self.db.run(sql::REGISTER_JOBS, values).await?;
        }
        Ok(())
    }

    pub(super) async fn upsert_plans(
        &self,
        plans: &[Schedule<'_>],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        for chunk in plans.chunks(CHUNK) {
            let values = vec![schedules_json(chunk)?, now.into()];
            self.db.run(sql::SAVE_PLANS, values).await?;
        }
        Ok(())
    }

    pub(super) async fn replace_schedules(
        &self,
        node: &str,
        schedules: &[Schedule<'_>],
    ) -> Result<(), sqlx::Error> {
        let forget = self.db.run(sql::FORGET_SCHEDULES, vec![node.into()]);
        forget.await?;
        for chunk in schedules.chunks(CHUNK) {
            let values = vec![node.into(), schedules_json(chunk)?];
            self.db.run(sql::SAVE_SCHEDULES, values).await?;
        }
        Ok(())
    }

    pub(super) async fn overviews(&self, names: &[&str]) -> Result<Vec<Overview>, sqlx::Error> {
        let paused: Vec<String> = self.db.scalars(sql::PAUSED_JOBS, vec![]).await?;
        let paused: BTreeSet<String> = paused.into_iter().collect();
        let mut progress: BTreeMap<String, Progress> = BTreeMap::new();
        for row in self.db.raw_rows(sql::PROGRESS, vec![]).await? {
            progress.insert(row.get("job_name")?, Progress::from_row(&row)?);
        }
        let mut last: BTreeMap<String, Run> = BTreeMap::new();
        for names in names.chunks(CHUNK) {
            let runs: Vec<Run> = self.db.rows(sql::LAST_RUNS, vec![texts(names)]).await?;
            last.extend(runs.into_iter().map(|run| (run.job_name.clone(), run)));
        }
        let overview = |name: &&str| Overview {
            paused: paused.contains(*name),
            last_run: last.remove(*name),
            progress: progress.get(*name).copied(),
        };
        Ok(names.iter().map(overview).collect())
    }

    pub(super) async fn histories_of(
        &self,
        asked: &[SlotQuery<'_>],
    ) -> Result<Vec<History>, sqlx::Error> {
        let mut found = BTreeMap::new();
        for chunk in asked.chunks(CHUNK) {
            self.read_histories(chunk, &mut found).await?;
        }
        let histories = asked.iter().map(|asked| found.remove(asked.job));
        Ok(histories.map(Option::unwrap_or_default).collect())
    }

    async fn read_histories(
        &self,
        asked: &[SlotQuery<'_>],
        found: &mut BTreeMap<String, History>,
    ) -> Result<(), sqlx::Error> {
        let asked = json(asked.iter().map(|asked| {
            AskedJson {
                job: asked.job,
                oldest: asked
                    .slots
                    .last()
                    .copied()
                    .map(time_text)
                    .unwrap_or_default(),
                slots: asked.slots.iter().copied().map(time_text).collect(),
            }
        }))?;
        let runs: Vec<Run> = self.db.rows(sql::ASKED_RUNS, vec![asked.clone()]).await?;
        for run in runs {
            let history: &mut History = found.entry(run.job_name.clone()).or_default();
            history.runs.push(run);
        }
        for row in self.db.raw_rows(sql::ASKED_JOBS, vec![asked]).await? {
            let history = found.entry(row.get("job")?).or_default();
            history.row = JobRow::from_row(&row)?;
            history.oldest = row.get("first_slot")?;
            history.newest_other = row.get("newest_other")?;
            let change: (Option<DateTime<Utc>>, Option<String>) =
                (row.get("since")?, row.get("previous")?);
            history.change = match change {
                (Some(since), Some(previous)) => Some(ScheduleChange { since, previous }),
                _ => None,
            };
        }
        Ok(())
    }
}
