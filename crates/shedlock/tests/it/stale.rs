//! SQLite after the machine's clock was set back: what lies in the future holds nobody up for longer than its lease.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use shedlock::{LockInfo, LockProvider};

use crate::stage::{SqliteStage, Stage, is_held, lock, row, taken, until};

const NO_TIME: Duration = Duration::ZERO;
const LEASE: Duration = Duration::from_millis(600);

/// Moves the times of a row into the future, as a clock that is set back does.
async fn set_back(stage: &SqliteStage, name: &str, hours: i64) {
    let before = row(&*stage.provider("reader"), name).await;
    let text = |time: chrono::DateTime<Utc>| {
        let later = time + TimeDelta::hours(hours);
        later.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
    };
    let sql = "UPDATE shedlock SET locked_at = $2, lock_until = $3 WHERE name = $1";
    let update = sqlx::query(sql).bind(name);
    let update = update.bind(text(before.locked_at));
    let update = update.bind(text(before.lock_until));
    update.execute(&stage.pool).await.unwrap();
}

/// A row of a holder that died before the clock was set back.
async fn dead_row(stage: &SqliteStage) {
    drop(taken(&*stage.provider("dead"), &lock("job", LEASE, NO_TIME)).await);
    set_back(stage, "job", 9).await;
}

async fn is_taken(provider: &dyn LockProvider) -> bool {
    let config = lock("job", LEASE, NO_TIME);
    match provider.try_lock(&config).await.unwrap() {
        Some(guard) => {
            guard.unlock().await.unwrap();
            true
        }
        None => false,
    }
}

#[tokio::test]
async fn a_dead_lock_from_the_future_is_free_after_its_lease_and_not_before() {
    let stage = SqliteStage::new().await;
    dead_row(&stage).await;
    let (provider, began) = (stage.provider("b"), Instant::now());
    until("the lock", || async { is_taken(&*provider).await }).await;
    assert!(began.elapsed() >= LEASE);
    assert!(!is_held(&*provider, "job").await);
}

#[tokio::test]
async fn a_lock_from_the_future_that_nobody_wants_is_freed_when_asked() {
    let stage = SqliteStage::new().await;
    dead_row(&stage).await;
    let provider = stage.provider("b");
    let config = lock("job", LEASE, NO_TIME);
    until("the lock's end", || async {
        provider.free_if_stale(&config).await.unwrap()
    })
    .await;
    assert!(!is_held(&*provider, "job").await);
    assert!(!provider.free_if_stale(&config).await.unwrap());
}

#[tokio::test]
async fn a_living_holder_is_not_robbed_when_the_clock_is_set_back() {
    let stage = SqliteStage::new().await;
    let holder = taken(&*stage.provider("a"), &lock("job", LEASE, NO_TIME)).await;
    let holder = holder.keep_alive();
    let other = stage.provider("b");
    // Just after an extension, when the next is as far away as it can be.
    let end = row(&*other, "job").await.lock_until;
    until("an extension", || async {
        row(&*other, "job").await.lock_until > end
    })
    .await;
    set_back(&stage, "job", 9).await;
    let began = Instant::now();
    // That nobody else gets it in all this time announces itself by no event.
    while began.elapsed() < 4 * LEASE {
        assert!(!is_taken(&*other).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(holder.is_trusted());
    let held: LockInfo = row(&*other, "job").await;
    assert!(
        held.lock_until < Utc::now() + LEASE,
        "extended by the new clock"
    );
    holder.unlock().await.unwrap();
    assert!(is_taken(&*other).await, "and given back at once");
}

#[tokio::test]
async fn a_lock_blocked_by_hand_is_respected_for_as_long_as_it_says() {
    let stage = SqliteStage::new().await;
    stage.take_away("job").await;
    let provider = stage.provider("b");
    let began = Instant::now();
    // As above: only time shows that nothing happens.
    while began.elapsed() < 2 * LEASE {
        assert!(!is_taken(&*provider).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_tail_from_the_future_is_put_back_with_its_length_and_no_longer() {
    let stage = SqliteStage::new().await;
    let provider = stage.provider("a");
    let minutes = Duration::from_secs(600);
    let first = taken(&*provider, &lock("job", LEASE, minutes)).await;
    let owner = first.locked_by().to_owned();
    first.unlock().await.unwrap();
    set_back(&stage, "job", 9).await;
    let by_hand = lock("job", LEASE, NO_TIME);
    let second = provider.try_lock_over(&by_hand, &owner).await;
    second.unwrap().unwrap().unlock().await.unwrap();
    let tail = row(&*provider, "job").await.lock_until;
    assert!(tail <= Utc::now() + minutes, "{tail}");
    assert!(tail > Utc::now() + minutes / 2, "{tail}");
}
