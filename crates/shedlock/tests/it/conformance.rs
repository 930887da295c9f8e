//! What every provider must do. Written once, run on each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use shedlock::{LockError, LockProvider};

use crate::stage::{
    HOUR, MINUTE, MemoryStage, PostgresStage, SqliteStage, Stage, about, lock, row, taken,
};

const NO_TIME: Duration = Duration::ZERO;

async fn a_free_lock_is_taken_and_its_row_says_so(stage: impl Stage) {
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

async fn a_held_lock_is_refused_to_everybody_and_its_row_stays_as_it_is(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", MINUTE, NO_TIME);
    let guard = taken(&*a, &config).await;
    let before = row(&*a, "job").await;
    assert!(a.try_lock(&config).await.unwrap().is_none());
    assert!(b.try_lock(&config).await.unwrap().is_none());
    assert_eq!(row(&*b, "job").await, before);
    guard.unlock().await.unwrap();
}

async fn two_names_are_independent(stage: impl Stage) {
    let provider = stage.provider("a");
    let one = taken(&*provider, &lock("one", MINUTE, NO_TIME)).await;
    let two = taken(&*provider, &lock("two", MINUTE, NO_TIME)).await;
    one.unlock().await.unwrap();
    assert!(row(&*provider, "two").await.held);
    two.unlock().await.unwrap();
}

async fn a_lock_can_be_taken_again_right_after_its_unlock_ten_times_over(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", MINUTE, NO_TIME);
    let mut last = 0;
    for round in 0..10 {
        let provider = if round % 2 == 0 { &a } else { &b };
        let guard = taken(&**provider, &config).await;
        assert!(guard.fencing_token() > last, "tokens increase");
        last = guard.fencing_token();
        guard.unlock().await.unwrap();
        assert!(!row(&*a, "job").await.held);
    }
}

async fn a_lock_whose_lease_ran_out_is_free(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", MINUTE, NO_TIME);
    let old = taken(&*a, &config).await;
    stage.expire("job").await;
    let new = taken(&*b, &config).await;
    assert!(new.fencing_token() > old.fencing_token());
    assert_ne!(new.locked_by(), old.locked_by());
    new.unlock().await.unwrap();
}

async fn a_lock_stays_taken_for_its_at_least_time_even_beyond_its_lease(stage: impl Stage) {
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

async fn an_extension_counts_from_now_and_can_be_repeated(stage: impl Stage) {
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

async fn the_at_least_time_counts_from_the_acquisition_after_an_extension_too(stage: impl Stage) {
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

async fn an_extension_after_the_lease_ran_out_changes_nothing(stage: impl Stage) {
    let provider = stage.provider("a");
    let mut guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    stage.expire("job").await;
    let before = row(&*provider, "job").await;
    let error = guard.extend(HOUR).await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert_eq!(row(&*provider, "job").await, before);
}

async fn an_unlock_after_the_lease_ran_out_changes_nothing(stage: impl Stage) {
    let provider = stage.provider("a");
    let guard = taken(&*provider, &lock("job", MINUTE, HOUR)).await;
    stage.expire("job").await;
    let before = row(&*provider, "job").await;
    let error = guard.unlock().await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert_eq!(row(&*provider, "job").await, before);
}

async fn unlock_and_extension_of_a_former_holder_never_touch_a_newer_lock(stage: impl Stage) {
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

async fn a_row_that_somebody_deleted_is_lost_for_its_holder_and_free_for_others(stage: impl Stage) {
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

async fn a_lock_of_another_program_is_respected_until_it_is_over(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    stage.take_away("job").await;
    assert!(provider.try_lock(&config).await.unwrap().is_none());
    stage.expire("job").await;
    taken(&*provider, &config).await.unlock().await.unwrap();
}

async fn a_tail_of_our_own_is_taken_over_and_put_back(stage: impl Stage) {
    let (a, b) = (stage.provider("a"), stage.provider("b"));
    let config = lock("job", MINUTE, 10 * MINUTE);
    let first = taken(&*a, &config).await;
    let (owner, token) = (first.locked_by().to_owned(), first.fencing_token());
    let tail = first.locked_at() + TimeDelta::minutes(10);
    first.unlock().await.unwrap();

    let by_hand = lock("job", 2 * MINUTE, NO_TIME);
    assert!(b.try_lock(&by_hand).await.unwrap().is_none());
    let second = b.try_lock_over(&by_hand, &owner).await.unwrap().unwrap();
    assert!(second.fencing_token() > token);
    let held = row(&*a, "job").await;
    assert_eq!(held.locked_by, second.locked_by());
    assert_eq!(held.lock_until - held.locked_at, TimeDelta::minutes(2));
    let second_owner = second.locked_by().to_owned();
    second.unlock().await.unwrap();
    assert_eq!(row(&*a, "job").await.lock_until, tail);

    // Its own at-least time wins when it ends later than the tail.
    let longer = lock("job", MINUTE, HOUR);
    let third = a.try_lock_over(&longer, &second_owner).await;
    let third = third.unwrap().unwrap();
    let end = third.locked_at() + TimeDelta::hours(1);
    third.unlock().await.unwrap();
    assert_eq!(row(&*a, "job").await.lock_until, end);
}

async fn only_the_named_previous_owner_is_taken_over(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    stage.take_away("job").await;
    let before = row(&*provider, "job").await;
    for stranger in ["a:1", "thie", "THIEF", ""] {
        let over = provider.try_lock_over(&config, stranger).await.unwrap();
        assert!(over.is_none(), "{stranger:?}");
    }
    assert_eq!(row(&*provider, "job").await, before);
}

async fn taking_over_takes_a_free_lock_like_any_other(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    let first = provider.try_lock_over(&config, "nobody").await;
    let first = first.unwrap().unwrap();
    let owner = first.locked_by().to_owned();
    first.unlock().await.unwrap();
    let second = provider.try_lock_over(&config, &owner).await;
    second.unwrap().unwrap().unlock().await.unwrap();
    // Nothing of an old end is restored: there was no tail any more.
    assert!(!row(&*provider, "job").await.held);
}

async fn one_of_two_takers_over_wins(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, 10 * MINUTE);
    let first = taken(&*provider, &config).await;
    let owner = first.locked_by().to_owned();
    first.unlock().await.unwrap();
    let attempts = (0..8).map(|_| provider.try_lock_over(&config, &owner));
    let won = futures_join(attempts).await;
    let guards: Vec<_> = won.into_iter().flatten().collect();
    assert_eq!(guards.len(), 1);
    for guard in guards {
        guard.unlock().await.unwrap();
    }
}

/// Polls all at once; contention means that another one won.
async fn futures_join<F>(attempts: impl Iterator<Item = F>) -> Vec<Option<shedlock::LockGuard>>
where
    F: Future<Output = Result<Option<shedlock::LockGuard>, LockError>>,
{
    let mut waiting: Vec<_> = attempts.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|attempt| match attempt.as_mut().poll(context) {
            std::task::Poll::Pending => true,
            std::task::Poll::Ready(result) => {
                done.push(result.unwrap());
                false
            }
        });
        if waiting.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

async fn waiting_for_a_lock_ends_when_it_is_given_back(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    let guard = taken(&*provider, &config).await;
    assert!(provider.lock(&config, NO_TIME).await.unwrap().is_none());
    let (waited, unlocked) = tokio::join!(provider.lock(&config, MINUTE), guard.unlock());
    unlocked.unwrap();
    waited.unwrap().unwrap().unlock().await.unwrap();
}

async fn all_locks_are_listed_by_name_with_whether_they_are_held(stage: impl Stage) {
    let provider = stage.provider("a");
    assert!(provider.locks().await.unwrap().is_empty());
    let given_back = taken(&*provider, &lock("b", MINUTE, NO_TIME)).await;
    given_back.unlock().await.unwrap();
    let held = taken(&*provider, &lock("a", MINUTE, NO_TIME)).await;
    let locks = provider.locks().await.unwrap();
    let seen: Vec<_> = locks.iter().map(|row| (&*row.name, row.held)).collect();
    assert_eq!(seen, [("a", true), ("b", false)]);
    assert_eq!(locks[0].locked_by, held.locked_by());
    assert_eq!(row(&*provider, "a").await, locks[0]);
    held.unlock().await.unwrap();
}

async fn names_and_owners_of_full_length_and_any_script_are_kept_whole(stage: impl Stage) {
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

async fn the_schema_that_this_crate_creates_passes_its_check(stage: impl Stage) {
    stage.provider("a").check_schema().await.unwrap();
}

async fn eight_tasks_on_two_names_never_meet(stage: impl Stage) {
    fuzz(&[stage.provider("a"), stage.provider("b")]).await;
}

/// Counters that only the lock protects: a read and a write with a pause between.
async fn fuzz(providers: &[Arc<dyn LockProvider>]) {
    let counters = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let provider = providers[task / 2 % providers.len()].clone();
            let counters = counters.clone();
            tokio::spawn(async move {
                let config = lock(["even", "odd"][task % 2], MINUTE, NO_TIME);
                for _ in 0..100 {
                    let guard = provider.lock(&config, 2 * MINUTE).await.unwrap().unwrap();
                    let seen = counters[task % 2].load(Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    counters[task % 2].store(seen + 1, Ordering::Relaxed);
                    guard.unlock().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(counters[0].load(Ordering::Relaxed), 400);
    assert_eq!(counters[1].load(Ordering::Relaxed), 400);
}

macro_rules! suite {
    ($stage:ident: $($test:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::$stage::new().await).await;
            }
        )*
    };
}

macro_rules! conformance {
    ($($module:ident: $stage:ident,)*) => {
        $(
            mod $module {
                suite! { $stage:
                    a_free_lock_is_taken_and_its_row_says_so,
                    a_held_lock_is_refused_to_everybody_and_its_row_stays_as_it_is,
                    two_names_are_independent,
                    a_lock_can_be_taken_again_right_after_its_unlock_ten_times_over,
                    a_lock_whose_lease_ran_out_is_free,
                    a_lock_stays_taken_for_its_at_least_time_even_beyond_its_lease,
                    an_extension_counts_from_now_and_can_be_repeated,
                    the_at_least_time_counts_from_the_acquisition_after_an_extension_too,
                    an_extension_after_the_lease_ran_out_changes_nothing,
                    an_unlock_after_the_lease_ran_out_changes_nothing,
                    unlock_and_extension_of_a_former_holder_never_touch_a_newer_lock,
                    a_row_that_somebody_deleted_is_lost_for_its_holder_and_free_for_others,
                    a_lock_of_another_program_is_respected_until_it_is_over,
                    a_tail_of_our_own_is_taken_over_and_put_back,
                    only_the_named_previous_owner_is_taken_over,
                    taking_over_takes_a_free_lock_like_any_other,
                    one_of_two_takers_over_wins,
                    waiting_for_a_lock_ends_when_it_is_given_back,
                    all_locks_are_listed_by_name_with_whether_they_are_held,
                    names_and_owners_of_full_length_and_any_script_are_kept_whole,
                    the_schema_that_this_crate_creates_passes_its_check,
                    eight_tasks_on_two_names_never_meet,
                }
            }
        )*
    };
}

conformance! {
    memory: MemoryStage,
    sqlite: SqliteStage,
    postgres: PostgresStage,
}
