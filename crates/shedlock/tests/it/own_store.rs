//! A store of one's own: what a database may do at the worst moment.

mod gated;
mod trust;

use std::{sync::Arc, time::Duration};

use shedlock::{LockError, LockGuard, LockProvider, StoreLockProvider};
use tokio::task::JoinHandle;

use crate::stage::{HOUR, lock, taken, until};
use gated::{Gated, close};

const NO_TIME: Duration = Duration::ZERO;

fn provider_of(store: &Arc<Gated>) -> StoreLockProvider {
    StoreLockProvider::new(store.clone(), "a").with_timeout(HOUR)
}

fn attempt(provider: &StoreLockProvider) -> JoinHandle<Result<Option<LockGuard>, LockError>> {
    let provider = provider.clone();
    tokio::spawn(async move { provider.try_lock(&lock("job", HOUR, NO_TIME)).await })
}

async fn given_up<T>(task: JoinHandle<T>) {
    task.abort();
    assert!(task.await.is_err_and(|error| error.is_cancelled()));
}

#[tokio::test]
async fn a_lock_that_is_taken_after_the_shutdown_gave_it_back_is_given_back_again() {
    let store = Gated::new();
    close(&store.takings);
    let provider = provider_of(&store);
    let acquisition = attempt(&provider);
    until("the request", || async { store.calls() == ["take"] }).await;
    let report = provider.shut_down(NO_TIME).await;
    assert!(report.released.is_empty(), "it is not taken yet");
    assert_eq!(store.calls(), ["take", "release"]);
    store.takings.add_permits(1);
    assert!(acquisition.await.unwrap().unwrap().is_none());
    assert_eq!(store.calls(), ["take", "release", "release"]);
    assert_eq!(store.holder(), None);
}

#[tokio::test]
async fn a_caller_who_leaves_while_the_shutdown_is_made_up_for_leaves_no_lock() {
    let store = Gated::new();
    close(&store.takings);
    let provider = provider_of(&store);
    let acquisition = attempt(&provider);
    until("the request", || async { store.calls() == ["take"] }).await;
    provider.shut_down(NO_TIME).await;
    close(&store.releases);
    store.takings.add_permits(1);
    until("the second release", || async { store.calls().len() == 3 }).await;
    given_up(acquisition).await;
    store.releases.add_permits(1);
    until("the third", || async { store.holder().is_none() }).await;
}

#[tokio::test]
async fn what_was_given_back_for_a_caller_who_left_is_no_business_of_the_shutdown() {
    let store = Gated::new();
    close(&store.answers);
    let provider = provider_of(&store);
    let acquisition = attempt(&provider);
    until("the row", || async { store.holder().is_some() }).await;
    given_up(acquisition).await;
    until("the release", || async { store.holder().is_none() }).await;
    provider.shut_down(NO_TIME).await;
    assert_eq!(store.calls(), ["take", "release"]);
}

#[tokio::test]
async fn a_shutdown_that_was_cut_short_can_be_asked_for_again() {
    let store = Gated::new();
    close(&store.releases);
    let provider = provider_of(&store);
    drop(taken(&provider, &lock("job", HOUR, NO_TIME)).await);
    let impatient = provider.clone();
    let cut_short = tokio::spawn(async move { impatient.shut_down(NO_TIME).await });
    until("the release", || async {
        store.calls() == ["take", "release"]
    })
    .await;
    given_up(cut_short).await;
    store.releases.add_permits(1);
    assert_eq!(provider.shut_down(NO_TIME).await.released, ["job"]);
    assert_eq!(store.holder(), None);
}

#[tokio::test]
async fn an_unlock_asks_again_only_what_may_have_been_done() {
    let store = Gated::new();
    let provider = provider_of(&store);
    let config = lock("job", HOUR, NO_TIME);
    // The row is gone when it is asked again: by our own doing, or by somebody else's?
    for (failure, done) in [
        (LockError::Timeout(HOUR), true),
        (LockError::Unavailable("cut off".into()), true),
        (LockError::Contended("a deadlock".into()), false),
    ] {
        let what = failure.to_string();
        let guard = taken(&provider, &config).await;
        store.failures.lock().unwrap().push_back(failure);
        store.take_away();
        match guard.unlock().await {
            Ok(()) => assert!(done, "{what}"),
            Err(LockError::Lost { .. }) => assert!(!done, "{what}"),
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}
