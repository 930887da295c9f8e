//! Taking locks, and looking at them.

use std::time::Duration;

use chrono::TimeDelta;
use shedlock::{ConfigurationError, LockConfiguration};

use crate::stage::{MINUTE, Stage, is_held, lock, row, taken};

const NO_TIME: Duration = Duration::ZERO;

pub(super) async fn a_free_lock_is_taken_and_its_row_says_so(stage: impl Stage) {
    let provider = stage.provider("node-a");
    let guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    let row = row(&*provider, "job").await;
    assert!(row.held);
    assert_eq!(row.locked_by, guard.locked_by());
    assert!(row.locked_by.starts_with("node-a:"));
    assert_eq!(row.locked_at, guard.locked_at());
    assert_eq!(row.lock_until - row.locked_at, TimeDelta::seconds(60));
    assert!(guard.is_trusted());
    guard.unlock().await.unwrap();
}

pub(super) async fn a_held_lock_is_refused_to_everybody_and_its_row_stays_as_it_is(
    stage: impl Stage,
) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", MINUTE, NO_TIME);
    let guard = taken(&*a, &config).await;
    let before = row(&*a, "job").await;
    assert!(a.try_lock(&config).await.unwrap().is_none());
    assert!(b.try_lock(&config).await.unwrap().is_none());
    assert_eq!(row(&*b, "job").await, before);
    guard.unlock().await.unwrap();
}

pub(super) async fn two_names_are_independent(stage: impl Stage) {
    let provider = stage.provider("a");
    let one = taken(&*provider, &lock("one", MINUTE, NO_TIME)).await;
    let two = taken(&*provider, &lock("two", MINUTE, NO_TIME)).await;
    one.unlock().await.unwrap();
    assert!(row(&*provider, "two").await.held);
    two.unlock().await.unwrap();
}

pub(super) async fn a_lock_can_be_taken_again_right_after_its_unlock_ten_times_over(
    stage: impl Stage,
) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", MINUTE, NO_TIME);
    let mut last = 0;
    for round in 0..10 {
        let provider = if round % 2 == 0 { &a } else { &b };
        let guard = taken(&**provider, &config).await;
        assert!(guard.fencing_token() > last, "tokens increase");
        last = guard.fencing_token();
        guard.unlock().await.unwrap();
        assert!(!is_held(&*a, "job").await);
    }
}

pub(super) async fn a_lock_whose_lease_ran_out_is_free(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", MINUTE, NO_TIME);
    let old = taken(&*a, &config).await;
    stage.expire("job").await;
    let new = taken(&*b, &config).await;
    assert!(new.fencing_token() > old.fencing_token());
    assert_ne!(new.locked_by(), old.locked_by());
    new.unlock().await.unwrap();
}

pub(super) async fn a_lock_of_another_program_is_respected_until_it_is_over(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    stage.take_away("job").await;
    assert!(provider.try_lock(&config).await.unwrap().is_none());
    stage.expire("job").await;
    taken(&*provider, &config).await.unlock().await.unwrap();
}

pub(super) async fn waiting_for_a_lock_ends_when_it_is_given_back(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    let guard = taken(&*provider, &config).await;
    assert!(provider.lock(&config, NO_TIME).await.unwrap().is_none());
    let (waited, unlocked) = tokio::join!(provider.lock(&config, MINUTE), guard.unlock());
    unlocked.unwrap();
    waited.unwrap().unwrap().unlock().await.unwrap();
}

pub(super) async fn all_locks_are_listed_by_name_with_whether_they_are_held(stage: impl Stage) {
    let provider = stage.provider("a");
    assert!(provider.locks().await.unwrap().is_empty());
    let given_back = taken(&*provider, &lock("b", MINUTE, NO_TIME)).await;
    given_back.unlock().await.unwrap();
    let held = taken(&*provider, &lock("a", MINUTE, NO_TIME)).await;
    let locks = provider.locks().await.unwrap();
    let seen: Vec<_> = locks.iter().map(|row| (&*row.name, row.held)).collect();
    let free = stage.keeps_rows().then_some(("b", false));
    assert!(
        seen.into_iter().eq([("a", true)].into_iter().chain(free)),
        "{locks:?}"
    );
    assert_eq!(locks[0].locked_by, held.locked_by());
    assert_eq!(row(&*provider, "a").await, locks[0]);
    held.unlock().await.unwrap();
}

pub(super) async fn names_and_owners_of_full_length_and_any_script_are_kept_whole(
    stage: impl Stage,
) {
    let provider = stage.provider(&"마디".repeat(300));
    let name = "잠금🔒".repeat(21) + "'";
    let guard = taken(&*provider, &lock(&name, MINUTE, NO_TIME)).await;
    assert_eq!(guard.locked_by().chars().count(), 255);
    assert_eq!(row(&*provider, &name).await.locked_by, guard.locked_by());
    assert!(
        provider
            .try_lock(&lock(&name, MINUTE, NO_TIME))
            .await
            .unwrap()
            .is_none()
    );
    guard.unlock().await.unwrap();
}

pub(super) async fn a_name_that_is_too_long_is_refused_and_never_cut(stage: impl Stage) {
    let provider = stage.provider("a");
    let longest = "n".repeat(64);
    let guard = taken(&*provider, &lock(&longest, MINUTE, NO_TIME)).await;
    let longer = longest + "n";
    let error = LockConfiguration::new(&*longer, MINUTE, NO_TIME).unwrap_err();
    assert!(
        matches!(error, ConfigurationError::NameTooLong { length: 65, .. }),
        "{error:?}"
    );
    assert!(provider.lock_info(&longer).await.unwrap().is_none());
    guard.unlock().await.unwrap();
}

pub(super) async fn the_schema_that_this_crate_creates_passes_its_check(stage: impl Stage) {
    stage.provider("a").check_schema().await.unwrap();
}
