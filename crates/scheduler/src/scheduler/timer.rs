//! One timer for all jobs. A job has a task only while there is something to do for it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use futures::FutureExt;
use tokio::sync::mpsc;

use crate::clock::Reading;
use crate::core::Core;
use crate::event::Event;
use crate::schedule_queue::{
    Candidate, Judged, MisfireCheck, ScheduleQueue, SlotCursor, StepResult, Verdict,
};

/// What the timer's tasks report to it.
enum Report {
    Stepped(usize, StepResult),
    Checked(Vec<Judged>),
}

struct Timer {
    core: Arc<Core>,
    queue: ScheduleQueue,
    clock: Reading,
    reports: mpsc::UnboundedSender<Report>,
}

impl Core {
    /// Starts what is due when it is due, until the scheduler stops.
    pub(crate) async fn run_timer(self: Arc<Self>, queue: ScheduleQueue) {
        let (reports, mut reported) = mpsc::unbounded_channel();
        let mut timer = Timer {
            core: self.clone(),
            queue,
            clock: Reading::of(&*self.clock),
            reports,
        };
        while !self.stopping.is_cancelled() {
            timer.notice_the_clock();
            timer.start_what_is_due();
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                Some(report) = reported.recv() => {
                    timer.handle(report);
                    while let Ok(report) = reported.try_recv() {
                        timer.handle(report);
                    }
                }
                () = self.wake_ups.arrived() => {}
                () = self.clock.sleep_until_or_set_back(timer.queue.next_due()) => {}
            }
        }
    }

    /// Plans anew when the clock was set back between the two readings.
    pub(crate) fn notice_set_back(
        &self,
        queue: &mut ScheduleQueue,
        before: Reading,
        after: Reading,
    ) {
        let Some(by) = after.set_back_since(before) else {
            return;
        };
        tracing::warn!(
            node = self.node,
            seconds = by.num_milliseconds() as f64 / 1_000.0,
            "the wall clock was set back: fixed rates and delays go on, cron is planned anew, and no slot runs twice"
        );
        metrics::counter!("scheduler_clock_set_back_total").increment(1);
        queue.plan_anew(&self.jobs, after.wall.trunc_subsecs(6), by);
        self.announce(Event::ClockSetBack { by });
    }

    /// A panic outside the job's function (a lock provider or a clock can do that) costs what was due until `now`. It does
    /// not cost the job.
    async fn catch_panic(
        &self,
        step: impl Future<Output = StepResult>,
        index: usize,
        now: DateTime<Utc>,
    ) -> StepResult {
        let registered = &self.jobs[index];
        let result = AssertUnwindSafe(step).catch_unwind().await;
        result.unwrap_or_else(|_| {
            tracing::error!(
                job = registered.job.name,
                "a slot could not be handled: something panicked; the job goes on with its next slot"
            );
            StepResult {
                cursor: SlotCursor::after(registered, now),
                newer: true,
                missed: false,
                runs: Vec::new(),
            }
        })
    }
}

impl Timer {
    /// Plans anew when the clock was set back.
    fn notice_the_clock(&mut self) {
        let before = std::mem::replace(&mut self.clock, Reading::of(&*self.core.clock));
        self.core
            .notice_set_back(&mut self.queue, before, self.clock);
    }

    fn start_what_is_due(&mut self) {
        let now = self.core.now();
        for (index, wake_up) in self.core.wake_ups.drain() {
            self.queue.wake(index, wake_up, now);
        }
        for (index, cursor) in self.queue.pop_due(now) {
            self.step(index, cursor, now);
        }
        if let Some(check) = self.queue.begin_check(now) {
            let MisfireCheck {
                candidates,
                settled,
            } = check;
            self.core.announce_misfires_checked(&settled);
            if !candidates.is_empty() {
                self.check(candidates, now);
            }
        }
    }

    fn step(&self, index: usize, cursor: SlotCursor, now: DateTime<Utc>) {
        let (core, reports) = (self.core.clone(), self.reports.clone());
        self.core.tasks.spawn(async move {
            let step = core.step(&core.jobs[index], cursor);
            let result = core.catch_panic(step, index, now).await;
            // The timer is gone once the scheduler stops.
            let _ = reports.send(Report::Stepped(index, result));
        });
    }

    fn check(&self, candidates: Vec<Candidate>, now: DateTime<Utc>) {
        let (core, reports) = (self.core.clone(), self.reports.clone());
        self.core.tasks.spawn(async move {
            let check = AssertUnwindSafe(core.check_misfires(candidates, now)).catch_unwind();
            let judged = check.await.unwrap_or_else(|_| {
                tracing::error!("a check for missed slots panicked; there will be another");
                Vec::new()
            });
            let _ = reports.send(Report::Checked(judged));
        });
    }

    fn handle(&mut self, report: Report) {
        match report {
            Report::Stepped(index, result) => {
                let registered = &self.core.jobs[index];
                self.queue.finish_step(registered, result, self.core.now());
            }
            Report::Checked(judged) => {
                let catch_ups = self.queue.finish_check(judged);
                self.core.announce_misfires_checked(&catch_ups.settled);
                for (index, cursor, verdict) in catch_ups.owed {
                    self.catch_up(index, cursor, verdict);
                }
            }
        }
    }

    fn catch_up(&self, index: usize, cursor: SlotCursor, verdict: Verdict) {
        let (core, reports) = (self.core.clone(), self.reports.clone());
        let now = self.core.now();
        self.core.tasks.spawn(async move {
            let catch_up = core.catch_up(&core.jobs[index], cursor, verdict);
            let result = core.catch_panic(catch_up, index, now).await;
            let _ = reports.send(Report::Stepped(index, result));
        });
    }
}
