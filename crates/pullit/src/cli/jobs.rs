//! `pullit jobs`: list, run, pause, resume, history.

use clap::Subcommand;
use scheduler::{RunNowError, RunStatus, SchedulerError};

use super::{Failure, Start, meter, print};
use crate::admin::job_view::{JobView, RunView};
use crate::app::App;

/// `pullit jobs …`
#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// Every job: when it runs next, how it ended last, who holds its lock.
    List {
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Run a job now, in this process, and wait for its end. A paused job runs too; a locked one does not (exit code 3). How far a long run
    /// has come, its rate and an estimate go to standard error.
    Run {
        /// The job's name.
        name: String,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Keep a job from running by itself, on every node, until it is resumed.
    Pause {
        /// The job's name.
        name: String,
    },
    /// Let a paused job run again.
    Resume {
        /// The job's name.
        name: String,
    },
    /// The last runs of a job, newest first.
    History {
        /// The job's name.
        name: String,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u64,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

impl Jobs {
    pub(super) async fn run(self, start: &Start) -> Result<(), Failure> {
        let app = start.app().await?;
        let ended = self.on(&app).await;
        app.close().await;
        ended
    }

    async fn on(self, app: &App) -> Result<(), Failure> {
        let scheduler = &app.scheduler;
        match self {
            Self::List { json } => {
                let jobs = scheduler.list().await.map_err(failure)?;
                let jobs: Vec<JobView> = jobs.into_iter().map(JobView::from).collect();
                if json {
                    print::json(&jobs)
                } else {
                    list(&jobs)
                }
            }
            Self::Run { name, json } => {
                let run = meter::watched(scheduler, &name).await.map_err(not_run)?;
                let failed = (run.status != RunStatus::Succeeded).then(|| {
                    Failure::Failed(format!(
                        "{name} {}: {}",
                        run.status,
                        run.error.clone().unwrap_or_default()
                    ))
                });
                let run = RunView::from(run);
                if json {
                    print::json(&run)?;
                } else if failed.is_none() {
                    print::line(&format!("{name} {}, affected {}", run.status, run.affected));
                }
                failed.map_or(Ok(()), Err)
            }
            Self::Pause { name } => {
                scheduler.pause(&name).await.map_err(failure)?;
                print::line(&format!("{name} is paused on every node."));
                Ok(())
            }
            Self::Resume { name } => {
                scheduler.resume(&name).await.map_err(failure)?;
                print::line(&format!("{name} runs again by itself."));
                Ok(())
            }
            Self::History { name, limit, json } => {
                let runs = scheduler
                    .history(&name, limit, None)
                    .await
                    .map_err(failure)?;
                if json {
                    print::json(&runs)
                } else {
                    history(&runs)
                }
            }
        }
    }
}

fn list(jobs: &[JobView]) -> Result<(), Failure> {
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| {
            let last = job.last_run.as_ref();
            vec![
                job.name.clone(),
                job.trigger.clone(),
                if job.paused {
                    "paused".to_owned()
                } else {
                    time(job.next_run)
                },
                last.map_or_else(|| "-".to_owned(), |run| run.status.to_string()),
                last.map_or_else(|| "-".to_owned(), |run| time(run.finished_at)),
                last.map_or_else(|| "-".to_owned(), |run| run.affected.to_string()),
                job.lock
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |lock| lock.locked_by.clone()),
            ]
        })
        .collect();
    print::table(
        &[
            "JOB",
            "TRIGGER",
            "NEXT RUN",
            "LAST",
            "FINISHED",
            "AFFECTED",
            "LOCKED BY",
        ],
        &rows,
    );
    Ok(())
}

fn history(runs: &[scheduler::Run]) -> Result<(), Failure> {
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            vec![
                run.id.to_string(),
                time(Some(run.scheduled_at)),
                time(run.finished_at),
                run.attempt.to_string(),
                run.cause.to_string(),
                run.status.to_string(),
                run.affected.to_string(),
                run.retries.to_string(),
                run.node.clone(),
                run.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    print::table(
        &[
            "RUN", "SLOT", "FINISHED", "ATTEMPT", "CAUSE", "STATUS", "AFFECTED", "RETRIES", "NODE",
            "ERROR",
        ],
        &rows,
    );
    Ok(())
}

fn time(time: Option<chrono::DateTime<chrono::Utc>>) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

fn failure(error: SchedulerError) -> Failure {
    match error {
        SchedulerError::UnknownJob(_) => Failure::Usage(error.to_string()),
        error => Failure::of(error),
    }
}

fn not_run(error: RunNowError) -> Failure {
    match error {
        RunNowError::UnknownJob(_) => Failure::Usage(error.to_string()),
        RunNowError::Locked { .. } => Failure::Locked(error.to_string()),
        error => Failure::of(error),
    }
}
