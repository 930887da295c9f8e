//! An environment of its own for every test.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use redis::{Client, Cmd, FromRedisValue, aio::MultiplexedConnection};
use shedlock::{LockProvider, RedisLockProvider};

use super::Stage;

pub(crate) struct RedisStage {
    pub(crate) client: Client,
    pub(crate) env: String,
    connection: MultiplexedConnection,
}

/// Unlike any other of this run.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    format!("{what}-{}-{count}", std::process::id())
}

pub(crate) fn redis_url() -> String {
    std::env::var("PULLIT_TEST_REDIS_URL")
        .expect("PULLIT_TEST_REDIS_URL is not set: run ./scripts/test")
}

impl RedisStage {
    pub(crate) async fn new() -> Self {
        Self::in_env(unique("test")).await
    }

    pub(crate) async fn in_env(env: String) -> Self {
        let client = Client::open(redis_url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        connection.set_response_timeout(Duration::from_secs(20));
        Self {
            client,
            env,
            connection,
        }
    }

    pub(crate) fn of(&self, client: Client, node: &str) -> RedisLockProvider {
        let provider = RedisLockProvider::new(client, node).with_env(&self.env);
        provider.with_timeout(Duration::from_secs(20))
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("job-lock:{}:{name}", self.env)
    }

    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> T {
        let mut connection = self.connection.clone();
        command.query_async(&mut connection).await.unwrap()
    }

    pub(crate) async fn value(&self, key: &str) -> Option<String> {
        self.run(&Cmd::get(key)).await
    }
}

#[async_trait]
impl Stage for RedisStage {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider> {
        Arc::new(self.of(self.client.clone(), node))
    }

    fn keeps_rows(&self) -> bool {
        false
    }

    async fn expire(&self, name: &str) {
        let expired: bool = self.run(&Cmd::pexpire_at(self.key(name), 1)).await;
        assert!(expired);
    }

    async fn take_away(&self, name: &str) {
        let mut set = Cmd::set(self.key(name), "ADDED:2026-01-01T00:00:00.000Z@thief");
        let () = self.run(set.arg("PX").arg(3_600_000)).await;
    }

    async fn delete(&self, name: &str) {
        let deleted: i64 = self.run(&Cmd::del(self.key(name))).await;
        assert_eq!(deleted, 1);
    }
}
