//! Ending a provider.

use std::time::Duration;

use chrono::TimeDelta;
use shedlock::LockError;

use crate::stage::{HOUR, MINUTE, Stage, about, lock, taken};

const NO_TIME: Duration = Duration::ZERO;

pub(super) async fn a_provider_that_was_shut_down_takes_no_more_locks(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let report = a.shut_down(MINUTE).await;
    assert!(report.released.is_empty() && report.failed.is_empty());
    let config = lock("job", MINUTE, NO_TIME);
    let error = a.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::ShutDown), "{error:?}");
    taken(&*b, &config).await.unlock().await.unwrap();
}

pub(super) async fn a_shutdown_waits_for_holders_that_give_their_locks_back(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", HOUR, NO_TIME);
    let guard = taken(&*provider, &config).await;
    let kept = taken(&*provider, &lock("kept", HOUR, NO_TIME))
        .await
        .keep_alive();
    let lost = kept.lost();
    let work = async {
        // The shutdown has begun when nothing is given any more.
        let other = lock("other", MINUTE, NO_TIME);
        let closed = provider.try_lock(&other).await;
        assert!(matches!(closed, Err(LockError::ShutDown)));
        assert!(!lost.is_cancelled(), "within the grace nobody is disturbed");
        guard.unlock().await.unwrap();
        kept.unlock().await.unwrap();
    };
    let (report, ()) = tokio::join!(provider.shut_down(HOUR), work);
    assert!(report.released.is_empty() && report.failed.is_empty());
}

pub(super) async fn what_is_still_held_at_shutdown_is_given_back_and_its_holders_are_told(
    stage: impl Stage,
) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", HOUR, NO_TIME);
    let mut guard = taken(&*a, &config).await;
    let kept = taken(&*a, &lock("kept", HOUR, 10 * MINUTE))
        .await
        .keep_alive();
    let tail = kept.locked_at() + TimeDelta::minutes(10);
    assert!(kept.is_trusted());

    let mut report = a.shut_down(NO_TIME).await;
    report.released.sort();
    assert_eq!(report.released, ["job", "kept"]);
    assert!(report.failed.is_empty());
    assert!(!guard.is_trusted());
    assert!(kept.lost().is_cancelled() && !kept.is_trusted());
    let row = b.lock_info("kept").await.unwrap().unwrap();
    assert!(row.held && about(row.lock_until, tail), "at least held");

    let next = taken(&*b, &config).await;
    let error = guard.extend(HOUR).await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    let error = guard.unlock().await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    let error = kept.unlock().await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert_eq!(b.lock_info("kept").await.unwrap().unwrap(), row);
    next.unlock().await.unwrap();
}

pub(super) async fn a_lock_whose_guard_was_dropped_is_given_back_at_shutdown(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", HOUR, NO_TIME);
    drop(taken(&*a, &config).await);
    assert!(b.try_lock(&config).await.unwrap().is_none());
    let report = a.shut_down(HOUR).await;
    assert_eq!(report.released, ["job"]);
    taken(&*b, &config).await.unlock().await.unwrap();
}

pub(super) async fn a_shutdown_leaves_alone_what_is_kept_from_it(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", HOUR, NO_TIME);
    let kept = taken(&*a, &config).await.keep_alive();
    kept.keep_from_shutdown(true);
    let dropped = lock("dropped", HOUR, NO_TIME);
    let guard = taken(&*a, &dropped).await;
    guard.keep_from_shutdown(true);
    drop(guard);
    let report = a.shut_down(HOUR).await;
    assert!(report.released.is_empty() && report.failed.is_empty());
    assert!(kept.is_trusted());
    assert!(b.try_lock(&config).await.unwrap().is_none());
    assert!(b.try_lock(&dropped).await.unwrap().is_none());
    kept.keep_from_shutdown(false);
    assert_eq!(a.shut_down(NO_TIME).await.released, ["job"]);
    assert!(kept.lost().is_cancelled());
}
