//! One call of a job's function, in a task of its own.

use std::any::Any;
use std::time::Duration;

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::context::JobContext;
use crate::error::JobError;
use crate::job::Work;

/// How long a cancelled job may take to end by itself before it is dropped.
const GRACE: Duration = Duration::from_secs(2);

/// How a call ended.
pub(crate) enum Ended {
    Done(Result<u64, JobError>),
    Panicked(String),
    LeaseLost,
    CutOff,
}

/// Calls the job until it ends, its lease is lost, or the shutdown's deadline is over.
pub(crate) async fn attempt(
    work: Work,
    context: JobContext,
    lost: &CancellationToken,
    deadline: &CancellationToken,
) -> Ended {
    let cancellation = context.cancellation.clone();
    let mut task = AbortOnDropHandle::new(tokio::spawn(
        async move { work(context).await }.in_current_span(),
    ));
    tokio::select! {
        biased;
        // First, because work that is done is done: whether it counts is for its row to say.
        ended = &mut task => of(ended),
        () = lost.cancelled() => {
            cancellation.cancel();
            drop_after(task, GRACE).await;
            Ended::LeaseLost
        }
        () = deadline.cancelled() => {
            drop_after(task, Duration::ZERO).await;
            Ended::CutOff
        }
    }
}

async fn drop_after(mut task: AbortOnDropHandle<Result<u64, JobError>>, grace: Duration) {
    if tokio::time::timeout(grace, &mut task).await.is_err() {
        task.abort();
        if tokio::time::timeout(GRACE, &mut task).await.is_err() {
            tracing::error!(
                "a job does not give up its thread; it works on without a lease, and only the fence keeps it from writing"
            );
        }
    }
}

fn of(ended: Result<Result<u64, JobError>, JoinError>) -> Ended {
    match ended {
        Ok(result) => Ended::Done(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => Ended::Panicked(message(&*panic)),
            Err(_) => Ended::CutOff,
        },
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned())
}
