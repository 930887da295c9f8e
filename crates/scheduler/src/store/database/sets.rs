//! Questions about many jobs at once. What is asked for goes as one JSON text, which both databases can read as rows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, DbErr, QueryResult};
use serde::Serialize;

use super::row::run_from;
use super::{DatabaseStore, sql};
use crate::model::{Progress, Run};
use crate::store::{Asked, History, JobRow, NodeSchedule, Overview, Schedule};

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

/// A time as SQLite's tables keep it, which PostgreSQL reads too.
fn text(t: &DateTime<Utc>) -> String {
    t.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

fn json(rows: &impl Serialize) -> Result<String, DbErr> {
    serde_json::to_string(rows).map_err(|error| DbErr::Json(error.to_string()))
}

pub(super) fn job_row_from(row: &QueryResult) -> Result<JobRow, DbErr> {
    Ok(JobRow {
        paused: row.try_get::<Option<bool>>("", "paused")?.unwrap_or(false),
        created_at: row.try_get("", "created_at")?,
        resumed_at: row.try_get("", "resumed_at")?,
        foreign_slot: row.try_get("", "foreign_slot")?,
    })
}

impl DatabaseStore {
    fn either(&self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        match self.backend() {
            DbBackend::Sqlite => sqlite,
            _ => postgres,
        }
    }

    async fn all(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = sea_orm::Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        use sea_orm::ConnectionTrait;
        self.db.query_all_raw(self.statement(sql, values)).await
    }

    pub(super) async fn insert_jobs(
        &self,
        names: &[&str],
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        let sql = self.either(sql::REGISTER_JOBS_POSTGRES, sql::REGISTER_JOBS_SQLITE);
        for names in names.chunks(CHUNK) {
            self.execute(sql, [json(&names)?.into(), self.time(now)])
                .await?;
        }
        Ok(())
    }

    pub(super) async fn replace_schedules(
        &self,
        node: &str,
        schedules: &[Schedule<'_>],
    ) -> Result<(), DbErr> {
        let sql = self.either(sql::SAVE_SCHEDULES_POSTGRES, sql::SAVE_SCHEDULES_SQLITE);
        self.execute(sql::FORGET_SCHEDULES, [node.into()]).await?;
        for chunk in schedules.chunks(CHUNK) {
            let rows = chunk.iter().map(|schedule| ScheduleJson {
                job: schedule.job,
                schedule: &schedule.text,
            });
            let rows: Vec<_> = rows.collect();
            self.execute(sql, [node.into(), json(&rows)?.into()])
                .await?;
        }
        Ok(())
    }

    pub(super) async fn conflicts_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<NodeSchedule>, DbErr> {
        let rows = self
            .all(sql::SCHEDULE_CONFLICTS, [self.time(since)])
            .await?;
        let from = |row: &QueryResult| {
            Ok(NodeSchedule {
                job: row.try_get("", "job_name")?,
                text: row.try_get("", "schedule")?,
                node: row.try_get("", "node")?,
            })
        };
        rows.iter().map(from).collect()
    }

    pub(super) async fn overviews(&self, names: &[&str]) -> Result<Vec<Overview>, DbErr> {
        let mut paused = BTreeSet::new();
        for row in self.all(sql::PAUSED_JOBS, []).await? {
            paused.insert(row.try_get::<String>("", "name")?);
        }
        let mut progress = BTreeMap::new();
        for row in self.all(sql::PROGRESS, []).await? {
            let count = |column| -> Result<u64, DbErr> {
                Ok(u64::try_from(row.try_get::<i64>("", column)?).unwrap_or(0))
            };
            let (done, total) = (count("done")?, count("total")?);
            progress.insert(
                row.try_get::<String>("", "job_name")?,
                Progress { done, total },
            );
        }
        let mut last: BTreeMap<String, Run> = BTreeMap::new();
        let sql = self.either(sql::LAST_RUNS_POSTGRES, sql::LAST_RUNS_SQLITE);
        for names in names.chunks(CHUNK) {
            for run in self.runs(sql, [json(&names)?.into()]).await? {
                last.insert(run.job_name.clone(), run);
            }
        }
        let overview = |name: &&str| Overview {
            paused: paused.contains(*name),
            last_run: last.remove(*name),
            progress: progress.get(*name).copied(),
        };
        Ok(names.iter().map(overview).collect())
    }

    pub(super) async fn histories_of(&self, asked: &[Asked<'_>]) -> Result<Vec<History>, DbErr> {
        let mut found = BTreeMap::new();
        for chunk in asked.chunks(CHUNK) {
            self.read_histories(chunk, &mut found).await?;
        }
        let histories = asked.iter().map(|asked| found.remove(asked.job));
        Ok(histories.map(Option::unwrap_or_default).collect())
    }

    async fn read_histories(
        &self,
        asked: &[Asked<'_>],
        found: &mut BTreeMap<String, History>,
    ) -> Result<(), DbErr> {
        let rows = asked.iter().map(|asked| AskedJson {
            job: asked.job,
            oldest: asked.slots.last().map(text).unwrap_or_default(),
            slots: asked.slots.iter().map(text).collect(),
        });
        let rows = json(&rows.collect::<Vec<_>>())?;
        let sql = self.either(sql::ASKED_RUNS_POSTGRES, sql::ASKED_RUNS_SQLITE);
        for row in self.all(sql, [rows.as_str().into()]).await? {
            let run = run_from(&row)?;
            let history: &mut History = found.entry(run.job_name.clone()).or_default();
            history.runs.push(run);
        }
        let sql = self.either(sql::ASKED_JOBS_POSTGRES, sql::ASKED_JOBS_SQLITE);
        for row in self.all(sql, [rows.into()]).await? {
            let history = found.entry(row.try_get("", "job")?).or_default();
            history.row = job_row_from(&row)?;
            history.oldest = row.try_get("", "first_slot")?;
            history.stranger = row.try_get("", "stranger")?;
        }
        Ok(())
    }
}
