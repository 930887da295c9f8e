//! One timer for all jobs. A job has a task only while there is something to do for it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use tokio::sync::mpsc;

use crate::agenda::{Agenda, Look};
use crate::core::Core;
use crate::event::Event;
use crate::misfire::{Judged, Verdict};
use crate::ticking::{Beat, Stepped};

/// A look at more jobs than this announces only those that were found to owe a run: listeners keep up with so many announcements at once.
const ANNOUNCED: usize = 64;

/// What the tasks of the timer tell it.
enum Report {
    Stepped(usize, Stepped),
    Judged(Vec<Judged>),
}

struct Timer {
    core: Arc<Core>,
    agenda: Agenda,
    reports: mpsc::UnboundedSender<Report>,
}

impl Core {
    /// Starts what is due when it is due, until the scheduler stops.
    pub(crate) async fn keep_time(self: Arc<Self>, agenda: Agenda) {
        let (reports, mut reported) = mpsc::unbounded_channel();
        let mut timer = Timer {
            core: self.clone(),
            agenda,
            reports,
        };
        while !self.stopping.is_cancelled() {
            timer.start_what_is_due();
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                Some(report) = reported.recv() => {
                    timer.hear(report);
                    while let Ok(report) = reported.try_recv() {
                        timer.hear(report);
                    }
                }
                () = self.nudges.given() => {}
                () = self.clock.sleep_until(timer.agenda.next()) => {}
            }
        }
    }

    /// Announces that there is nothing to be done for jobs that were looked at.
    pub(crate) fn announce_looked_back(&self, jobs: &[usize]) {
        if jobs.len() > ANNOUNCED {
            return;
        }
        for index in jobs {
            self.announce(Event::LookedBack {
                job: self.jobs[*index].job.name.clone(),
            });
        }
    }
}

impl Core {
    /// A panic outside the job's function (a lock provider or a clock can do that) costs what was due until `now`, and not the job.
    async fn survive(
        &self,
        step: impl Future<Output = Stepped>,
        index: usize,
        now: DateTime<Utc>,
    ) -> Stepped {
        let registered = &self.jobs[index];
        let stepped = AssertUnwindSafe(step).catch_unwind().await;
        stepped.unwrap_or_else(|_| {
            tracing::error!(
                job = registered.job.name,
                "a slot could not be handled: something panicked; the job goes on with its next slot"
            );
            Stepped {
                beat: Beat::anew(registered, now),
                newer: true,
                missed: false,
                runs: Vec::new(),
            }
        })
    }
}

impl Timer {
    fn start_what_is_due(&mut self) {
        let now = self.core.now();
        for (index, nudge) in self.core.nudges.take() {
            self.agenda.nudge(index, nudge, now);
        }
        for (index, beat) in self.agenda.take_due(now) {
            let (core, reports) = (self.core.clone(), self.reports.clone());
            self.core.tasks.spawn(async move {
                let step = core.step(&core.jobs[index], beat);
                let stepped = core.survive(step, index, now).await;
                // The timer is gone once the scheduler stops.
                let _ = reports.send(Report::Stepped(index, stepped));
            });
        }
        if let Some(Look { asked, settled }) = self.agenda.take_look(now) {
            self.core.announce_looked_back(&settled);
            if !asked.is_empty() {
                let (core, reports) = (self.core.clone(), self.reports.clone());
                self.core.tasks.spawn(async move {
                    let look = AssertUnwindSafe(core.look_back(asked, now)).catch_unwind();
                    let judged = look.await.unwrap_or_else(|_| {
                        tracing::error!("a look for missed slots panicked; there will be another");
                        Vec::new()
                    });
                    let _ = reports.send(Report::Judged(judged));
                });
            }
        }
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Stepped(index, stepped) => {
                self.agenda.put_back(index, stepped, self.core.now());
            }
            Report::Judged(judged) => {
                let looked = self.agenda.judged(judged);
                self.core.announce_looked_back(&looked.done);
                for (index, beat, verdict) in looked.owed {
                    self.catch_up(index, beat, verdict);
                }
            }
        }
    }

    fn catch_up(&self, index: usize, beat: Beat, verdict: Verdict) {
        let (core, reports) = (self.core.clone(), self.reports.clone());
        let now = self.core.now();
        self.core.tasks.spawn(async move {
            let run = core.catch_up(&core.jobs[index], beat, verdict);
            let stepped = core.survive(run, index, now).await;
            let _ = reports.send(Report::Stepped(index, stepped));
        });
    }
}
