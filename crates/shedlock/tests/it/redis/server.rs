//! Servers that refuse something.

use std::time::Duration;

use chrono::TimeDelta;
use redis::{Client, Cmd, IntoConnectionInfo, ProtocolVersion};
use shedlock::{LockError, LockProvider, SchemaError};

use crate::stage::{HOUR, MINUTE, RedisStage, lock, redis_url, row, taken, unique};

const NO_TIME: Duration = Duration::ZERO;

/// A user of the server with only some rights.
pub(super) struct User {
    pub(super) name: String,
}

impl User {
    pub(super) async fn with(stage: &RedisStage, rights: &str) -> Self {
        let user = Self {
            name: unique("user"),
        };
        user.change(stage, "on >secret ~*").await;
        user.change(stage, rights).await;
        user
    }

    pub(super) async fn change(&self, stage: &RedisStage, rights: &str) {
        let mut set = redis::cmd("ACL");
        set.arg("SETUSER").arg(&self.name);
        set.arg(rights.split(' ').collect::<Vec<_>>());
        let () = stage.run(&set).await;
    }

    pub(super) fn client(&self) -> Client {
        self.client_with("secret")
    }

    fn client_with(&self, password: &str) -> Client {
        let info = redis_url().into_connection_info().unwrap();
        let login = info.redis_settings().clone();
        let login = login.set_username(&self.name).set_password(password);
        Client::open(info.set_redis_settings(login)).unwrap()
    }
}

#[tokio::test]
async fn a_server_without_the_newer_commands_is_just_as_exact() {
    let stage = RedisStage::new().await;
    // As before Redis 7.0.
    let user = User::with(&stage, "+@all -pexpiretime").await;
    let provider = stage.of(user.client(), "a");
    for _ in 0..20 {
        let guard = taken(&provider, &lock("job", MINUTE, HOUR)).await;
        let (owner, at) = (guard.locked_by().to_owned(), guard.locked_at());
        let end = row(&provider, "job").await.lock_until;
        assert_eq!(end - at, TimeDelta::minutes(1));
        guard.unlock().await.unwrap();
        let over = provider
            .try_lock_over(&lock("job", MINUTE, NO_TIME), &owner)
            .await;
        over.unwrap().unwrap().unlock().await.unwrap();
        let end = row(&provider, "job").await.lock_until;
        assert_eq!(end - at, TimeDelta::hours(1));
        let () = stage.run(&Cmd::del(stage.key("job"))).await;
    }
    let () = stage.run(&Cmd::set(stage.key("job"), "for ever")).await;
    assert_eq!(
        provider.locks().await.unwrap()[0].lock_until.to_rfc3339(),
        "9999-12-31T23:59:59+00:00"
    );
}

#[tokio::test]
async fn missing_rights_are_errors_that_nobody_should_wait_out() {
    let stage = RedisStage::new().await;
    let config = lock("job", MINUTE, NO_TIME);
    let no_scripts = User::with(&stage, "+@all -eval -evalsha").await;
    let no_tokens = User::with(&stage, "+@all -incr").await;
    let wrong = User::with(&stage, "+@all").await.client_with("wrong");
    for client in [no_scripts.client(), no_tokens.client(), wrong] {
        let provider = stage.of(client, "a");
        let error = provider.try_lock(&config).await.unwrap_err();
        assert!(matches!(error, LockError::Database(_)), "{error:?}");
        assert!(!error.is_transient());
        assert!(!format!("{provider:?}{error:?}").contains("secret"));
    }
    assert_eq!(
        stage.value(&stage.key("job")).await,
        None,
        "nothing was taken"
    );
    let provider = stage.of(no_scripts.client(), "a");
    let Err(SchemaError::Unusable(problems)) = provider.check_schema().await else {
        panic!("the check passed");
    };
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("scripts cannot be run: allow EVAL and EVALSHA"));
}

#[tokio::test]
async fn a_server_that_keeps_its_settings_to_itself_passes_the_check() {
    let stage = RedisStage::new().await;
    let user = User::with(&stage, "+@all -info").await;
    stage.of(user.client(), "a").check_schema().await.unwrap();
}

#[tokio::test]
async fn a_client_may_speak_the_newer_protocol() {
    let stage = RedisStage::new().await;
    let info = redis_url().into_connection_info().unwrap();
    let newer = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(info.set_redis_settings(newer)).unwrap();
    let provider = stage.of(client, "a");
    provider.check_schema().await.unwrap();
    let guard = taken(&provider, &lock("job", MINUTE, HOUR)).await;
    let owner = guard.locked_by().to_owned();
    assert!(
        provider
            .try_lock(&lock("job", MINUTE, NO_TIME))
            .await
            .unwrap()
            .is_none()
    );
    guard.unlock().await.unwrap();
    let over = provider
        .try_lock_over(&lock("job", MINUTE, NO_TIME), &owner)
        .await;
    assert_eq!(provider.locks().await.unwrap().len(), 1);
    over.unwrap().unwrap().unlock().await.unwrap();
    assert!(provider.lock_info("other").await.unwrap().is_none());
}
