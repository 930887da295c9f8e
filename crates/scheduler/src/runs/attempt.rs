//! One call of a job's function, in a task of its own.

use std::any::Any;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::error::JobError;
use crate::job::{JobContext, Work};

/// How long a cancelled job may take to end by itself before it is dropped, and then to be dropped.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Done(Result<u64, JobError>),
    Panicked(String),
    LeaseLost,
    TimedOut,
    CutOff,
}

/// What ends a call before its time.
pub(crate) struct Limits<'a> {
    pub(crate) lost: &'a CancellationToken,
    pub(crate) deadline: &'a CancellationToken,
    pub(crate) expired: &'a mut BoxFuture<'static, ()>,
    pub(crate) grace: Duration,
}

type Call = AbortOnDropHandle<Result<u64, JobError>>;

/// Calls the job until it ends, its lease is lost, or the time of the run or of the shutdown is over.
///
/// A call that has not ended by then is cancelled or dropped. Unless the lease is lost, this returns only when the call
/// has really ended.
pub(crate) async fn attempt(work: Work, context: JobContext, limits: Limits<'_>) -> Ended {
    let Limits {
        lost,
        deadline,
        expired,
        grace,
    } = limits;
    let cancellation = context.cancellation.clone();
    let mut call = AbortOnDropHandle::new(tokio::spawn(
        async move { work(context).await }.in_current_span(),
    ));
    let (ended, timeout) = tokio::select! {
        biased;
        // First, because work that is done is done. Whether it counts is for its row to say.
        ended = &mut call => return of(ended),
        () = lost.cancelled() => (Ended::LeaseLost, grace),
        () = deadline.cancelled() => (Ended::CutOff, Duration::ZERO),
        () = expired => (Ended::TimedOut, grace),
    };
    if !matches!(ended, Ended::CutOff) {
        cancellation.cancel();
    }
    if !has_ended(&mut call, timeout).await {
        call.abort();
        if !has_ended(&mut call, grace).await {
            return blocked(call, ended, lost).await;
        }
    }
    ended
}

async fn has_ended(call: &mut Call, within: Duration) -> bool {
    tokio::time::timeout(within, call).await.is_ok()
}

/// A call that blocks its thread cannot be dropped. Others must not begin while it goes on.
async fn blocked(mut call: Call, ended: Ended, lost: &CancellationToken) -> Ended {
    if !lost.is_cancelled() {
        tracing::error!("a job blocks its thread; its lock stays taken until it ends");
        tokio::select! {
            biased;
            _ = &mut call => return ended,
            () = lost.cancelled() => {}
        }
    }
    tracing::error!(
        "a job blocks its thread and works on without a lease; only the fence stops its writes"
    );
    Ended::LeaseLost
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

#[cfg(test)]
mod tests;
