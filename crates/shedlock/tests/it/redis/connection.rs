//! Connections that die, stall or cannot be made, and servers that forget.

use std::time::Duration;

use chrono::TimeDelta;
use redis::{Client, Cmd, ConnectionAddr};
use shedlock::{LockError, LockProvider, RedisLockProvider};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{RwLock, RwLockReadGuard},
};

use super::server::User;
use crate::{
    proxy::{Proxy, Wire},
    stage::{HOUR, MINUTE, RedisStage, Stage, is_held, lock, redis_url, row, taken, until},
};

const NO_TIME: Duration = Duration::ZERO;

async fn proxy() -> (Proxy, Client) {
    proxy_for(&Client::open(redis_url()).unwrap()).await
}

/// A wire to where `client` leads, and a client that uses it.
async fn proxy_for(client: &Client) -> (Proxy, Client) {
    let info = client.get_connection_info();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(listener, info.addr().to_string());
    let (host, port) = (proxy.address.ip().to_string(), proxy.address.port());
    let through = info.clone().set_addr(ConnectionAddr::Tcp(host, port));
    (proxy, Client::open(through).unwrap())
}

/// The server knows scripts, and forgets them, for everybody.
static SCRIPTS: RwLock<()> = RwLock::const_new(());

/// From now on the first request of a call is the one that counts: the server knows all scripts.
async fn known_scripts(stage: &RedisStage) -> RwLockReadGuard<'static, ()> {
    let known = SCRIPTS.read().await;
    let provider = stage.provider("known");
    let config = lock("known", MINUTE, HOUR);
    let mut guard = taken(&*provider, &config).await;
    guard.extend(MINUTE).await.unwrap();
    let owner = guard.locked_by().to_owned();
    guard.unlock().await.unwrap();
    let over = provider.try_lock_over(&config, &owner).await;
    over.unwrap().unwrap().unlock().await.unwrap();
    known
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_anew() {
    let _alone = SCRIPTS.write().await;
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
async fn what_was_done_when_the_answer_was_cut_off_is_found_done() {
    let stage = RedisStage::new().await;
    let _known = known_scripts(&stage).await;
    let (proxy, client) = proxy().await;
    let provider = stage.of(client, "a");
    let config = lock("job", MINUTE, HOUR);
    assert!(provider.lock_info("job").await.unwrap().is_none());
    proxy.now(Wire::Cuts);
    let mut guard = taken(&provider, &config).await;
    assert!(proxy.is(Wire::Passes));
    let held = row(&provider, "job").await;
    assert_eq!(held.locked_by, guard.locked_by());
    assert_eq!(held.locked_at, guard.locked_at());
    assert_eq!(held.lock_until - held.locked_at, TimeDelta::minutes(1));
    proxy.now(Wire::Cuts);
    guard.extend(HOUR).await.unwrap();
    assert!(proxy.is(Wire::Passes));
    let (owner, token) = (guard.locked_by().to_owned(), guard.fencing_token());
    guard.unlock().await.unwrap();

    proxy.now(Wire::HoldsAfterAnswer);
    let by_hand = lock("job", MINUTE, NO_TIME);
    let (over, ()) = tokio::join!(provider.try_lock_over(&by_hand, &owner), async {
        proxy.becomes(Wire::Holds).await;
        proxy.now(Wire::Cuts);
    });
    assert!(proxy.is(Wire::Passes));
    let over = over.unwrap().expect("taken over");
    assert!(over.fencing_token() > token);
    over.unlock().await.unwrap();
    stage.delete("job").await;

    let guard = taken(&provider, &by_hand).await;
    proxy.now(Wire::Cuts);
    guard.unlock().await.unwrap();
    assert!(proxy.is(Wire::Passes));
    assert!(!is_held(&provider, "job").await);
}

#[tokio::test]
async fn an_acquisition_that_may_have_been_made_is_not_called_refused() {
    let stage = RedisStage::new().await;
    let _known = known_scripts(&stage).await;
    let user = User::with(&stage, "+@all").await;
    let (proxy, client) = proxy_for(&user.client()).await;
    let provider = stage.of(client, "a");
    assert!(provider.lock_info("job").await.unwrap().is_none());
    proxy.now(Wire::CutsAndHolds);
    let config = lock("job", HOUR, NO_TIME);
    let (attempt, ()) = tokio::join!(provider.try_lock(&config), async {
        proxy.becomes(Wire::Holds).await;
        user.change(&stage, "-eval -evalsha").await;
        proxy.now(Wire::Passes);
    });
    let error = attempt.unwrap_err();
    assert!(matches!(error, LockError::Unavailable(_)), "{error:?}");
    assert!(is_held(&*stage.provider("b"), "job").await);
    user.change(&stage, "+eval +evalsha").await;
    until("the lock of nobody, given back", || async {
        !is_held(&*stage.provider("b"), "job").await
    })
    .await;
}

#[tokio::test]
async fn a_tail_that_changed_after_the_look_at_it_is_not_taken_over() {
    let stage = RedisStage::new().await;
    let _known = known_scripts(&stage).await;
    let (proxy, client) = proxy().await;
    let provider = stage.of(client, "a");
    let config = lock("job", MINUTE, HOUR);
    let key = stage.key("job");
    let mut other_holder = Cmd::set(&key, "ADDED:2026-11-22T10:00:00.123Z@java");
    other_holder.arg("KEEPTTL");
    for change in [Cmd::pexpire(&key, 120_000), other_holder] {
        let guard = taken(&provider, &config).await;
        let owner = guard.locked_by().to_owned();
        guard.unlock().await.unwrap();
        proxy.now(Wire::HoldsAfterAnswer);
        let (over, after) = tokio::join!(provider.try_lock_over(&config, &owner), async {
            proxy.becomes(Wire::Holds).await;
            let () = stage.run(&change).await;
            let after = row(&*stage.provider("b"), "job").await;
            proxy.now(Wire::Passes);
            after
        });
        assert!(over.unwrap().is_none());
        assert_eq!(row(&provider, "job").await, after);
        stage.delete("job").await;
    }
}

/// Lets `attempt` take a lock whose answer is swallowed, and sees that it is given back.
async fn taken_for_nobody(attempt: impl AsyncFnOnce(RedisLockProvider, &RedisStage)) {
    let stage = RedisStage::new().await;
    let _known = known_scripts(&stage).await;
    let (proxy, client) = proxy().await;
    let hasty = stage.of(client, "hasty");
    assert!(hasty.lock_info("job").await.unwrap().is_none());
    proxy.now(Wire::Swallows);
    attempt(hasty.with_timeout(Duration::from_millis(300)), &stage).await;
    proxy.now(Wire::Passes);
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
async fn a_connection_that_stalls_is_left_once_and_its_late_answers_are_nobodys() {
    let stage = RedisStage::new().await;
    let (proxy, client) = proxy().await;
    let provider = stage.of(client, "a");
    let guard = taken(&provider, &lock("job", MINUTE, NO_TIME)).await;
    let gives_up_after = async |limit: Duration| {
        let hasty = provider.clone().with_timeout(limit);
        let error = hasty.lock_info("job").await.unwrap_err();
        assert!(
            matches!(error, LockError::Timeout(after) if after == limit),
            "{error:?}"
        );
    };
    proxy.now(Wire::Swallows);
    let _ = tokio::join!(gives_up_after(Duration::from_secs(2)), async {
        gives_up_after(Duration::from_millis(300)).await;
        proxy.now(Wire::Passes);
        assert!(is_held(&provider, "job").await);
    });
    assert!(is_held(&provider, "job").await);
    assert_eq!(proxy.accepted(), 2);
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn calls_that_come_together_make_one_connection() {
    let stage = RedisStage::new().await;
    let (proxy, client) = proxy().await;
    let provider = stage.of(client, "a");
    for connections in 1..4 {
        let look = || provider.lock_info("job");
        let _ = tokio::try_join!(look(), look(), look(), look()).unwrap();
        assert_eq!(proxy.accepted(), connections);
        proxy.now(Wire::Cuts);
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_of_the_call_and_may_come_later() {
    let stage = RedisStage::new().await;
    // A port that nobody else gets, and that nobody listens on yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let client = Client::open(format!("redis://{address}/")).unwrap();
    let provider = stage.of(client, "a");
    let config = lock("job", MINUTE, NO_TIME);
    for _ in 0..2 {
        let error = provider.try_lock(&config).await.unwrap_err();
        assert!(matches!(error, LockError::Unavailable(_)), "{error:?}");
        assert!(error.is_transient());
    }
    let server = stage.client.get_connection_info().addr().to_string();
    let _proxy = Proxy::start(socket.listen(16).unwrap(), server);
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
