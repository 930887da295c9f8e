//! How long a lease is trusted when the store does not answer.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use shedlock::{KeptLock, LeaseClock, LockError, LockProvider, StoreLockProvider};
use tokio::time::{Instant, timeout};

use super::{
    NO_TIME,
    gated::{Gated, HandMoved, close},
};
use crate::stage::{HOUR, MINUTE, lock, taken, until};

/// Longer than anything here takes, and shorter than an extension is waited for.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn trust_ends_a_margin_before_the_lease_does() {
    let clock = Arc::new(HandMoved::default());
    let provider = StoreLockProvider::new(Gated::new(), "a").with_clock(clock.clone());
    let guard = taken(&provider, &lock("job", MINUTE, NO_TIME)).await;
    clock.to(MINUTE - Duration::from_millis(1_001));
    assert!(guard.is_trusted());
    clock.to(MINUTE - Duration::from_secs(1));
    assert!(!guard.is_trusted());
    guard.unlock().await.unwrap();

    let wide = provider.with_margin(HOUR);
    clock.to(NO_TIME);
    let guard = taken(&wide, &lock("job", MINUTE, NO_TIME)).await;
    clock.to(Duration::from_millis(53_999));
    assert!(guard.is_trusted());
    clock.to(Duration::from_secs(54));
    assert!(!guard.is_trusted(), "a tenth of the lease");
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn an_extension_without_an_answer_leaves_the_shorter_of_two_leases() {
    let (store, clock) = (Gated::new(), Arc::new(HandMoved::default()));
    let provider = StoreLockProvider::new(store.clone(), "a").with_clock(clock.clone());
    let provider = provider.with_timeout(Duration::from_millis(20));
    let mut guard = taken(&provider, &lock("job", 10 * MINUTE, NO_TIME)).await;
    close(&store.extensions);
    let error = guard.extend(HOUR).await.unwrap_err();
    assert!(matches!(error, LockError::Timeout(_)), "{error:?}");
    clock.to(9 * MINUTE);
    assert!(guard.is_trusted());
    let error = guard.extend(10 * Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error, LockError::Timeout(_)), "{error:?}");
    assert!(guard.is_trusted());
    clock.to(9 * MINUTE + Duration::from_secs(9));
    assert!(!guard.is_trusted(), "the store may have made it shorter");
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn a_lock_that_an_extension_found_lost_is_not_trusted() {
    let store = Gated::new();
    let provider = StoreLockProvider::new(store.clone(), "a");
    let mut guard = taken(&provider, &lock("job", HOUR, NO_TIME)).await;
    store.give_to("thief");
    let error = guard.extend(HOUR).await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert!(!guard.is_trusted());
}

/// A kept lock, just when an extension is asked for that is not answered.
async fn kept_without_answers() -> (StoreLockProvider, Arc<HandMoved>, KeptLock) {
    let (store, clock) = (Gated::new(), Arc::new(HandMoved::default()));
    let provider = StoreLockProvider::new(store.clone(), "a").with_clock(clock.clone());
    close(&store.extensions);
    let kept = taken(&provider, &lock("job", HOUR, NO_TIME))
        .await
        .keep_alive();
    clock.to(31 * MINUTE);
    until("an extension", || async {
        store.calls() == ["take", "extend"]
    })
    .await;
    (provider, clock, kept)
}

#[tokio::test]
async fn an_unlock_waits_no_longer_for_an_extension_than_for_any_call() {
    let (_, _, kept) = kept_without_answers().await;
    timeout(SOON, kept.unlock()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_waits_no_longer_for_an_extension_than_for_any_call() {
    let (provider, _, kept) = kept_without_answers().await;
    let report = timeout(SOON, provider.shut_down(NO_TIME)).await.unwrap();
    assert_eq!(report.released, ["job"], "{report:?}");
    assert!(kept.lost().is_cancelled());
}

#[tokio::test]
async fn a_machine_that_slept_during_an_extension_learns_that_its_lease_is_over() {
    let (_, clock, kept) = kept_without_answers().await;
    assert!(kept.is_trusted());
    clock.to(HOUR);
    timeout(SOON, kept.lost().cancelled()).await.unwrap();
}

#[tokio::test]
async fn a_caller_who_does_not_await_the_unlock_is_told_that_nobody_extends_the_lease() {
    let store = Gated::new();
    let provider = StoreLockProvider::new(store.clone(), "a");
    close(&store.releases);
    let kept = taken(&provider, &lock("job", HOUR, NO_TIME))
        .await
        .keep_alive();
    let lost = kept.lost();
    tokio::select! {
        _ = kept.unlock() => panic!("there is no answer"),
        () = until("the release", || async { store.calls() == ["take", "release"] }) => {}
    }
    assert!(lost.is_cancelled());
}

#[tokio::test]
async fn a_view_of_trust_ends_with_the_lock() {
    let provider = StoreLockProvider::new(Gated::new(), "a");
    let kept = taken(&provider, &lock("job", MINUTE, NO_TIME))
        .await
        .keep_alive();
    let trust = kept.trust();
    assert!(trust.is_trusted());
    kept.unlock().await.unwrap();
    assert!(!trust.is_trusted());
}

/// Goes with the time of the test's runtime.
#[derive(Debug)]
struct RuntimeClock(Instant);

impl LeaseClock for RuntimeClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_extended_is_lost_when_its_trust_ends_and_not_later() {
    let (store, began) = (Gated::new(), Instant::now());
    let clock = Arc::new(RuntimeClock(began));
    let provider = StoreLockProvider::new(store.clone(), "a").with_clock(clock);
    // Half of it, and steps of half a second from there, do not meet its trust's end.
    let lease = Duration::from_secs(7);
    let kept = taken(&provider, &lock("job", lease, NO_TIME))
        .await
        .keep_alive();
    store.out_of_reach.store(true, Ordering::Relaxed);
    kept.lost().cancelled().await;
    assert_eq!(began.elapsed(), Duration::from_millis(6_300));
    assert!(store.calls().len() > 3, "{:?}", store.calls());
}
