//! The jobs of the simulation: some quick, some long, some that fail, some that write.

use std::sync::LazyLock;
use std::time::Duration;

use chrono_tz::UTC;
use tokio::time::sleep;

use super::chance::Chance;
use super::line::Line;
use super::tables::Write;
use super::time::Micros;
use super::world::{Errand, World};
use crate::{Job, JobContext, JobError, Misfire, Record, Retry, Trigger};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Writes once behind the fence.
    Quick,
    /// Meets conflicts.
    Conflicting,
    /// Fails or panics now and then.
    Failing,
    /// Writes behind the fence many times, for several leases.
    Long,
    /// Acts outside the database, asking for trust before each step; heeds no cancellation.
    Trusting,
    /// Acts outside the database until it is cancelled; asks nothing.
    UntilCancelled,
    /// Ticks often and leaves no row of what went well.
    Ticking,
}

/// What a timer is exact to.
const MOMENT: Micros = 2_000;

const KINDS: [Kind; 7] = [
    Kind::Quick,
    Kind::Conflicting,
    Kind::Failing,
    Kind::Long,
    Kind::Trusting,
    Kind::UntilCancelled,
    Kind::Ticking,
];

/// A job as every node knows it.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) trigger: Trigger,
    pub(super) lease: Duration,
    pub(super) at_least: Duration,
    pub(super) misfire: Misfire,
}

/// Parsed once for all seeds.
static EVERY: LazyLock<[Trigger; 5]> = LazyLock::new(|| {
    [
        "20 * * * * *",
        "0 1/2 * * * *",
        "40 2/5 * * * *",
        "0 3/10 * * * *",
        "30 1/20 * * * *",
    ]
    .map(|expression| Trigger::cron(expression, UTC).expect("a valid expression"))
});

impl Plan {
    pub(super) fn draw(number: usize, chance: &mut Chance) -> Self {
        let kind = *chance.pick(&KINDS);
        let trigger = if kind == Kind::Ticking {
            Trigger::fixed_delay(Duration::from_secs(20)).expect("a valid delay")
        } else {
            EVERY[*chance.pick(&[0, 0, 1, 1, 2, 3, 4])].clone()
        };
        let run_once = kind != Kind::Ticking && chance.percent(70);
        Self {
            name: format!("{kind:?}{number}").to_lowercase(),
            kind,
            trigger,
            lease: Duration::from_secs(chance.within(6..=20)),
            at_least: Duration::from_secs(*chance.pick(&[0, 0, 5, 120])),
            misfire: if run_once {
                Misfire::RunOnce
            } else {
                Misfire::Skip
            },
        }
    }

    pub(super) fn job(&self, line: &Line) -> Job {
        let (kind, line) = (self.kind, line.clone());
        let record = match kind {
            Kind::Ticking => Record::FailuresAndManual,
            _ => Record::Always,
        };
        Job::builder(self.name.as_str(), self.trigger.clone())
            .lease(self.lease)
            .at_least(self.at_least)
            .misfire(self.misfire)
            .record(record)
            .retry(Retry::fixed(3, Duration::from_secs(1)))
            .run(move |context| work(kind, line.clone(), context))
    }
}

async fn work(kind: Kind, line: Line, context: JobContext) -> Result<u64, JobError> {
    let run = RunOf { line, context };
    if run.context.retry() == 0 {
        let write = run.write();
        run.line.note(move |world| {
            world.judge.begun(&write.job, write.token);
            world.judge.begun_at.insert(write.job, world.now);
        });
    }
    match kind {
        Kind::Quick => run.write_fenced().await,
        Kind::Conflicting if run.happens(60) => {
            run.note(|world| world.judge.saw("conflict"));
            Err(JobError::conflict("somebody else was first"))
        }
        Kind::Conflicting => run.write_fenced().await,
        Kind::Failing if run.happens(50) => Err(JobError::failed("bad luck")),
        Kind::Failing if run.happens(40) => {
            // As `panic!`, without the message on the terminal.
            std::panic::resume_unwind(Box::new("worse luck"))
        }
        Kind::Failing => run.write_fenced().await,
        Kind::Long => run.long().await,
        Kind::Trusting => run.trusting().await,
        Kind::UntilCancelled => run.until_cancelled().await,
        Kind::Ticking if run.happens(10) => Err(JobError::failed("no tick")),
        Kind::Ticking => run.write_fenced().await,
    }
}

/// A run, seen from inside its job.
struct RunOf {
    line: Line,
    context: JobContext,
}

impl RunOf {
    fn happens(&self, percent: u64) -> bool {
        self.line.chance(|chance| chance.percent(percent))
    }

    fn note(&self, note: impl FnOnce(&mut World) + Send + 'static) {
        self.line.note(note);
    }

    async fn pause(&self, millis: std::ops::RangeInclusive<u64>) {
        let millis = self.line.chance(|chance| chance.within(millis));
        sleep(Duration::from_millis(millis)).await;
    }

    fn write(&self) -> Write {
        let (job, locked_by) = self.context.fence().lock.unwrap_or_default();
        Write {
            job,
            locked_by,
            token: self.context.fencing_token(),
            run_id: self.context.run_id(),
        }
    }

    /// What [`LeaseFence::check`](crate::LeaseFence::check) does, in the simulated database.
    async fn write_fenced(&self) -> Result<u64, JobError> {
        if self.context.fence().lost.is_cancelled() {
            return Err(JobError::LeaseLost);
        }
        let (node, write) = (self.line.node, self.write());
        match self
            .line
            .call(Errand::Deed("broken off: write"), move |world| {
                world.write_fenced(node, &write)
            })
            .await
        {
            Ok(true) => Ok(1),
            Ok(false) => Err(JobError::LeaseLost),
            Err(fault) => Err(JobError::failed(format!("{fault:?}"))),
        }
    }

    async fn long(&self) -> Result<u64, JobError> {
        let steps = self.line.chance(|chance| chance.within(5..=20));
        let stubborn = self.happens(20);
        for step in 0..steps {
            self.context.progress(step, steps);
            match self.write_fenced().await {
                Err(JobError::Failed(_)) | Ok(_) => {}
                Err(error) => return Err(error),
            }
            self.pause(500..=3_000).await;
            if self.context.cancellation().is_cancelled() && !stubborn {
                return Err(JobError::Cancelled);
            }
        }
        Ok(steps)
    }

    async fn trusting(&self) -> Result<u64, JobError> {
        let steps = self.line.chance(|chance| chance.within(20..=120));
        for _ in 0..steps {
            if !self.context.is_trusted() {
                return Err(JobError::LeaseLost);
            }
            self.act_outside(false);
            self.pause(100..=400).await;
        }
        Ok(steps)
    }

    async fn until_cancelled(&self) -> Result<u64, JobError> {
        let steps = self.line.chance(|chance| chance.within(20..=120));
        for _ in 0..steps {
            if self.context.cancellation().is_cancelled() {
                return Err(JobError::Cancelled);
            }
            self.act_outside(true);
            self.pause(100..=400).await;
        }
        Ok(steps)
    }

    /// Whoever `asks_nothing` may act in the very moment when a stopped process goes on.
    fn act_outside(&self, asks_nothing: bool) {
        let (node, write) = (self.line.node, self.write());
        self.note(move |world| {
            let since = world.now - world.seats[node].resumed_at;
            let excused = asks_nothing && since < MOMENT;
            world.write_outside(node, &write, excused);
        });
    }
}
