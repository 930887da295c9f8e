//! Taking over the at-least tail of a run of one's own.

use std::time::Duration;

use chrono::TimeDelta;
use shedlock::{LockError, LockGuard};

use crate::stage::{HOUR, MINUTE, Stage, is_held, lock, row, taken};

const NO_TIME: Duration = Duration::ZERO;

pub(super) async fn a_tail_of_our_own_is_taken_over_and_put_back(stage: impl Stage) {
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

pub(super) async fn only_the_named_previous_owner_is_taken_over(stage: impl Stage) {
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

pub(super) async fn taking_over_takes_a_free_lock_like_any_other(stage: impl Stage) {
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    let first = provider.try_lock_over(&config, "nobody").await;
    let first = first.unwrap().unwrap();
    let owner = first.locked_by().to_owned();
    first.unlock().await.unwrap();
    let second = provider.try_lock_over(&config, &owner).await;
    second.unwrap().unwrap().unlock().await.unwrap();
    // Nothing of an old end is restored: there was no tail any more.
    assert!(!is_held(&*provider, "job").await);
}

pub(super) async fn one_of_two_takers_over_wins(stage: impl Stage) {
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
async fn futures_join<F>(attempts: impl Iterator<Item = F>) -> Vec<Option<LockGuard>>
where
    F: Future<Output = Result<Option<LockGuard>, LockError>>,
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
