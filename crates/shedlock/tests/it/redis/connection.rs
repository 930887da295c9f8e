//! Connections that die, stall or cannot be made, and servers that forget.

use std::time::Duration;

use redis::Client;
use shedlock::{LockError, LockProvider, RedisLockProvider};

use super::server::User;
use crate::{
    proxy::Proxy,
    stage::{HOUR, MINUTE, RedisStage, Stage, is_held, lock, redis_url, row, taken, until},
};

const NO_TIME: Duration = Duration::ZERO;

async fn proxy() -> (Proxy, Client) {
    let url = redis_url();
    let server = url.trim_start_matches("redis://").trim_end_matches('/');
    let proxy = Proxy::start("127.0.0.1:0", server.to_owned()).await;
    let client = Client::open(format!("redis://{}/", proxy.address)).unwrap();
    (proxy, client)
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_anew() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("a");
    let forget = async || {
        let mut flush = redis::cmd("SCRIPT");
        let () = stage.run(flush.arg("FLUSH")).await;
    };
    forget().await;
    let mut guard = taken(&*provider, &lock("job", MINUTE, HOUR)).await;
    let owner = guard.locked_by().to_owned();
    assert_eq!(guard.fencing_token(), 1, "taken once");
    forget().await;
    guard.extend(HOUR).await.unwrap();
    forget().await;
    guard.unlock().await.unwrap();
    forget().await;
    let over = provider
        .try_lock_over(&lock("job", MINUTE, NO_TIME), &owner)
        .await;
    let over = over.unwrap().unwrap();
    forget().await;
    assert_eq!(provider.locks().await.unwrap().len(), 1);
    over.unlock().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_killed_is_made_anew_within_the_call() {
    let stage = RedisStage::new().await;
    let user = User::with(&stage, "+@all").await;
    let provider = stage.of(user.client(), "a");
    let kill = async || {
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("USER").arg(&user.name);
        let killed: i64 = stage.run(&kill).await;
        assert_eq!(killed, 1, "one connection for everything");
    };
    let config = lock("job", MINUTE, HOUR);
    assert!(provider.lock_info("job").await.unwrap().is_none());
    kill().await;
    let mut guard = taken(&provider, &config).await;
    kill().await;
    guard.extend(HOUR).await.unwrap();
    kill().await;
    assert!(row(&provider, "job").await.held);
    kill().await;
    let owner = guard.locked_by().to_owned();
    guard.unlock().await.unwrap();
    kill().await;
    let over = provider.try_lock_over(&config, &owner).await.unwrap();
    over.unwrap().unlock().await.unwrap();
}

#[tokio::test]
async fn an_acquisition_whose_answer_was_cut_off_is_asked_again_and_found_made() {
    let stage = RedisStage::new().await;
    let (proxy, client) = proxy().await;
    let provider = stage.of(client, "a");
    let config = lock("job", MINUTE, HOUR);
    assert!(provider.lock_info("job").await.unwrap().is_none());
    proxy.cut_at_next_answer();
    let mut guard = taken(&provider, &config).await;
    assert!(proxy.has_cut());
    let held = row(&provider, "job").await;
    assert_eq!(
        (&*held.locked_by, held.locked_at),
        (guard.locked_by(), guard.locked_at())
    );
    assert_eq!(
        held.lock_until - held.locked_at,
        chrono::TimeDelta::minutes(1)
    );
    proxy.cut_at_next_answer();
    guard.extend(HOUR).await.unwrap();
    assert!(proxy.has_cut());
    let owner = guard.locked_by().to_owned();
    let token = guard.fencing_token();
    proxy.cut_at_next_answer();
    guard.unlock().await.unwrap();
    assert!(proxy.has_cut());

    // Of the two requests of a takeover it is the second that counts.
    let tail = row(&provider, "job").await;
    proxy.cut_at_next_answer();
    assert_eq!(row(&provider, "job").await, tail);
    let over = provider
        .try_lock_over(&config, &owner)
        .await
        .unwrap()
        .unwrap();
    assert!(over.fencing_token() > token);
    over.unlock().await.unwrap();
}

/// Lets `attempt` take a lock whose answer is swallowed, and sees that it is given back.
async fn taken_for_nobody(attempt: impl AsyncFnOnce(RedisLockProvider, &RedisStage)) {
    let stage = RedisStage::new().await;
    let (proxy, client) = proxy().await;
    let hasty = stage.of(client, "hasty");
    assert!(hasty.lock_info("job").await.unwrap().is_none());
    proxy.swallow();
    attempt(hasty.with_timeout(Duration::from_millis(300)), &stage).await;
    proxy.pass();
    let other = stage.provider("b");
    until("the lock of nobody, given back", || async {
        !is_held(&*other, "job").await
    })
    .await;
}

/// Whether the lock is the hasty one's, as the server sees it.
async fn until_taken(stage: &RedisStage) {
    until("the acquisition", || async {
        let value = stage.value(&stage.key("job")).await;
        value.is_some_and(|value| value.contains("@hasty:"))
    })
    .await;
}

#[tokio::test]
async fn an_acquisition_without_an_answer_is_not_held_and_is_given_back() {
    taken_for_nobody(async |hasty, stage| {
        let config = lock("job", HOUR, HOUR);
        let (attempt, ()) = tokio::join!(hasty.try_lock(&config), until_taken(stage));
        let error = attempt.unwrap_err();
        assert!(matches!(error, LockError::Timeout(_)), "{error:?}");
        assert!(error.is_transient());
    })
    .await;
}

#[tokio::test]
async fn an_acquisition_whose_caller_stopped_waiting_is_given_back() {
    taken_for_nobody(async |hasty, stage| {
        let patient = hasty.with_timeout(MINUTE);
        let config = lock("job", HOUR, HOUR);
        tokio::select! {
            _ = patient.try_lock(&config) => panic!("nobody answers"),
            () = until_taken(stage) => {}
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_stalls_is_left_and_others_keep_their_answers() {
    let stage = RedisStage::new().await;
    let (proxy, client) = proxy().await;
    let provider = stage.of(client, "a");
    let hasty = provider.clone().with_timeout(Duration::from_millis(300));
    let guard = taken(&provider, &lock("job", MINUTE, NO_TIME)).await;
    proxy.swallow();
    for _ in 0..3 {
        let error = hasty.lock_info("job").await.unwrap_err();
        assert!(matches!(error, LockError::Timeout(_)), "{error:?}");
    }
    proxy.pass();
    // The answers of the old connections would be those of older questions.
    assert!(is_held(&provider, "job").await);
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_of_the_call_and_may_come_later() {
    let stage = RedisStage::new().await;
    let (proxy, client) = proxy().await;
    let address = proxy.address.to_string();
    drop(proxy);
    let provider = stage.of(client, "a");
    let config = lock("job", MINUTE, NO_TIME);
    for _ in 0..2 {
        let error = provider.try_lock(&config).await.unwrap_err();
        assert!(matches!(error, LockError::Unavailable(_)), "{error:?}");
        assert!(error.is_transient());
    }
    let url = redis_url();
    let server = url.trim_start_matches("redis://").trim_end_matches('/');
    let _proxy = Proxy::start(&address, server.to_owned()).await;
    taken(&provider, &config).await.unlock().await.unwrap();
}

#[test]
fn a_provider_outlives_the_runtime_that_it_connected_in() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let config = lock("job", MINUTE, NO_TIME);
    let provider = runtime().block_on(async {
        let stage = RedisStage::new().await;
        let provider = stage.of(stage.client.clone(), "a");
        taken(&provider, &config).await.unlock().await.unwrap();
        provider
    });
    runtime().block_on(async {
        taken(&provider, &config).await.unlock().await.unwrap();
    });
}
