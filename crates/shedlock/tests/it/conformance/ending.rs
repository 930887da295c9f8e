//! Extending locks, giving them back, and losing them.

use std::time::Duration;

use chrono::TimeDelta;
use shedlock::LockError;

use crate::stage::{HOUR, MINUTE, Stage, about, lock, row, taken};

const NO_TIME: Duration = Duration::ZERO;

pub(super) async fn a_lock_stays_taken_for_its_at_least_time_even_beyond_its_lease(
    stage: impl Stage,
) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, 10 * MINUTE);
    let guard = taken(&*provider, &config).await;
    let at = guard.locked_at();
    assert_eq!(
        row(&*provider, "job").await.lock_until,
        at + TimeDelta::minutes(1)
    );
    guard.unlock().await.unwrap();
    assert_eq!(
        row(&*provider, "job").await.lock_until,
        at + TimeDelta::minutes(10)
    );
    assert!(provider.try_lock(&config).await.unwrap().is_none());
    stage.expire("job").await;
    taken(&*provider, &config).await.unlock().await.unwrap();
}

pub(super) async fn a_lock_that_was_not_used_leaves_no_tail_of_its_own(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, 10 * MINUTE);
    let unused = taken(&*provider, &config).await;
    unused.unlock_unused().await.unwrap();
    let used = taken(&*provider, &config).await;
    let (owner, tail) = (
        used.locked_by().to_owned(),
        used.locked_at() + TimeDelta::minutes(10),
    );
    used.unlock().await.unwrap();
    let longer = lock("job", MINUTE, HOUR);
    let over = provider.try_lock_over(&longer, &owner).await;
    over.unwrap().unwrap().unlock_unused().await.unwrap();
    assert_eq!(row(&*provider, "job").await.lock_until, tail);
}

pub(super) async fn an_extension_counts_from_now_and_can_be_repeated(stage: impl Stage) {
    let provider = stage.provider("a");
    let mut guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    for hours in 1..4 {
        guard.extend(hours * HOUR).await.unwrap();
        let row = row(&*provider, "job").await;
        let end = guard.locked_at() + TimeDelta::hours(i64::from(hours));
        assert!(row.lock_until >= end && about(row.lock_until, end));
        assert_eq!(row.locked_at, guard.locked_at());
    }
    guard.extend(MINUTE).await.unwrap();
    let end = guard.locked_at() + TimeDelta::minutes(1);
    assert!(about(row(&*provider, "job").await.lock_until, end));
    guard.unlock().await.unwrap();
}

pub(super) async fn an_extended_lock_is_held_beyond_the_end_that_it_first_had(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let short = Duration::from_secs(2);
    let config = lock("job", short, NO_TIME);
    let mut guard = taken(&*a, &config).await;
    guard.extend(HOUR).await.unwrap();
    // Taken later for the same time, so it can be had again when the first end is past.
    let later = lock("later", short, NO_TIME);
    drop(taken(&*a, &later).await);
    let later = b.lock(&later, MINUTE).await.unwrap().unwrap();
    assert!(b.try_lock(&config).await.unwrap().is_none());
    assert!(guard.is_trusted());
    later.unlock().await.unwrap();
    guard.unlock().await.unwrap();
}

pub(super) async fn an_extension_beyond_all_measure_is_one_of_a_century(stage: impl Stage) {
    let provider = stage.provider("a");
    let mut guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    guard.extend(Duration::MAX).await.unwrap();
    let century = guard.locked_at() + TimeDelta::days(100 * 366);
    let row = row(&*provider, "job").await;
    assert!(row.held && about(row.lock_until, century), "{row:?}");
    assert!(guard.is_trusted());
    guard.unlock().await.unwrap();
}

pub(super) async fn the_at_least_time_counts_from_the_acquisition_after_an_extension_too(
    stage: impl Stage,
) {
    let provider = stage.provider("a");
    let mut guard = taken(&*provider, &lock("job", MINUTE, 2 * MINUTE)).await;
    let at = guard.locked_at();
    guard.extend(HOUR).await.unwrap();
    guard.unlock().await.unwrap();
    assert_eq!(
        row(&*provider, "job").await.lock_until,
        at + TimeDelta::minutes(2)
    );
}

pub(super) async fn an_extension_after_the_lease_ran_out_changes_nothing(stage: impl Stage) {
    let provider = stage.provider("a");
    let mut guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    stage.expire("job").await;
    let before = provider.lock_info("job").await.unwrap();
    let error = guard.extend(HOUR).await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert_eq!(provider.lock_info("job").await.unwrap(), before);
}

pub(super) async fn an_unlock_after_the_lease_ran_out_changes_nothing(stage: impl Stage) {
    let provider = stage.provider("a");
    let guard = taken(&*provider, &lock("job", MINUTE, HOUR)).await;
    stage.expire("job").await;
    let before = provider.lock_info("job").await.unwrap();
    let error = guard.unlock().await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert_eq!(provider.lock_info("job").await.unwrap(), before);
}

pub(super) async fn unlock_and_extension_of_a_former_holder_never_touch_a_newer_lock(
    stage: impl Stage,
) {
    // The same process, so the same node: only the random tail tells them apart.
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    let mut first = taken(&*provider, &config).await;
    stage.expire("job").await;
    let second = taken(&*provider, &config).await;
    let before = row(&*provider, "job").await;
    let error = first.extend(HOUR).await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    let error = first.unlock().await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert_eq!(row(&*provider, "job").await, before);
    second.unlock().await.unwrap();
}

pub(super) async fn a_row_that_somebody_deleted_is_lost_for_its_holder_and_free_for_others(
    stage: impl Stage,
) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    let mut guard = taken(&*provider, &config).await;
    let token = guard.fencing_token();
    stage.delete("job").await;
    assert!(provider.lock_info("job").await.unwrap().is_none());
    let error = guard.extend(HOUR).await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    let again = taken(&*provider, &config).await;
    assert!(again.fencing_token() > token, "tokens survive the row");
    again.unlock().await.unwrap();
    assert!(guard.unlock().await.is_err());
}
