//! Releasing the lock of a holder that an operator knows to be dead.

use shedlock::LockError;

use crate::stage::{HOUR, MINUTE, Stage, is_held, lock, row, taken};

pub(super) async fn a_lock_that_an_operator_released_is_free_and_lost_for_its_holder(
    stage: impl Stage,
) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", HOUR, MINUTE);
    let mut dead = taken(&*a, &config).await;
    let seen = row(&*b, "job").await;
    assert!(b.force_release(&seen).await.unwrap());
    assert!(!is_held(&*b, "job").await);
    let lost = dead.extend(HOUR).await.unwrap_err();
    assert!(matches!(lost, LockError::Lost { .. }), "{lost:?}");
    let next = taken(&*b, &config).await;
    let lost = dead.unlock().await.unwrap_err();
    assert!(matches!(lost, LockError::Lost { .. }), "{lost:?}");
    assert_eq!(row(&*a, "job").await.locked_by, next.locked_by());
    next.unlock().await.unwrap();
}

pub(super) async fn an_operators_release_leaves_no_tail_and_counts_the_token_on(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, HOUR);
    let first = taken(&*provider, &config).await;
    let token = first.fencing_token();
    first.unlock().await.unwrap();
    let tail = row(&*provider, "job").await;
    assert!(provider.force_release(&tail).await.unwrap());
    let next = taken(&*provider, &config).await;
    assert!(next.fencing_token() > token + 1, "one is the release's");
    next.unlock().await.unwrap();
}

pub(super) async fn an_operator_releases_only_the_holder_and_the_end_that_he_saw(
    stage: impl Stage,
) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, MINUTE);
    let mut alive = taken(&*provider, &config).await;
    let seen = row(&*provider, "job").await;
    let mut stranger = seen.clone();
    stranger.locked_by = "somebody else".to_owned();
    assert!(!provider.force_release(&stranger).await.unwrap());
    // Who extends its lease lives.
    alive.extend(HOUR).await.unwrap();
    let extended = row(&*provider, "job").await;
    assert!(!provider.force_release(&seen).await.unwrap());
    assert_eq!(row(&*provider, "job").await, extended);
    assert!(provider.force_release(&extended).await.unwrap());
    // What is free already is nobody's to release.
    assert!(!provider.force_release(&extended).await.unwrap());
    let mut unknown = extended;
    unknown.name = "never-taken".to_owned();
    assert!(!provider.force_release(&unknown).await.unwrap());
    drop(alive);
}

pub(super) async fn another_programs_lock_can_be_released_by_an_operator_too(stage: impl Stage) {
    let provider = stage.provider("a");
    stage.take_away("job").await;
    let seen = row(&*provider, "job").await;
    assert!(provider.force_release(&seen).await.unwrap());
    let next = taken(&*provider, &lock("job", MINUTE, MINUTE)).await;
    next.unlock().await.unwrap();
}
