//! Redis and Valkey, beside Java ShedLock.

mod check;
mod connection;
mod error;
mod keys;
mod scripts;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use redis::{Client, Cmd, FromRedisValue, RedisResult, Value};

use crate::{
    LockError, LockInfo,
    core::{Core, Store, Taken, provider_from_core},
};
use connection::{Call, Connections};
use error::lock_error;
use keys::Keys;
use scripts::{EXTEND, FREE, LOOK, RELEASE, Script, TAKE, TAKE_OVER};

/// Java ShedLock's environment when none is named.
const DEFAULT_ENV: &str = "default";
/// How many keys of the database the server looks at in one step.
const STEP: usize = 1000;

/// Locks in keys of Redis (6.2 or newer) or Valkey, shared with Java ShedLock.
///
/// The lock `nightly` is the key `job-lock:default:nightly` with the value
/// `ADDED:2026-11-22T10:00:00.123Z@<locked_by>`, which expires with the lease; `default` is the
/// [environment](Self::with_env). Times come from the server's clock and have milliseconds; durations are
/// rounded up to them. Fencing tokens are counted in `shedlock-fence:{job-lock:default:nightly}`, which never
/// expires and must not be deleted: its numbers would begin again at 1.
///
/// Java ShedLock must be built with `safeUpdate`. Without it, a Java holder whose lease has run out deletes or
/// prolongs whatever lock it finds in its place, ours as well.
///
/// # What Redis cannot promise
/// - Redis answers before a lock is on disk or on a replica. A failover or a restart can forget it, and then two
///   hold it; it can forget tokens as well, and give them out twice. Where that must not happen, lock in an SQL
///   database.
/// - A server that evicts keys (any `maxmemory-policy` but `noeviction`) loses locks.
///   [`check_schema`](crate::LockProvider::check_schema) says so.
/// - There is no [`fence`](crate::fence) check: Redis takes no part in the transaction that writes. Store
///   [`fencing_token`](crate::LockGuard::fencing_token) beside what is written, and write only where the stored
///   token is not greater.
/// - A key is gone when its lock is free, so [`lock_info`](crate::LockProvider::lock_info) then finds nothing and
///   [`locks`](crate::LockProvider::locks) lists only locks that are held. It looks through all keys of the
///   database; values of other programs are listed as they are, acquired in 1970 if they do not tell. A key
///   without an end is a lock until 9999.
/// - The client speaks to one server. A cluster behind a proxy will do, except for names that hold a `}` without a
///   `{` and at least one character before it.
#[derive(Debug, Clone)]
pub struct RedisLockProvider {
    core: Core,
    connections: Arc<Connections>,
}

provider_from_core!(RedisLockProvider);

impl RedisLockProvider {
    /// Uses one connection for all its locks, made by the first call and made anew when it is lost: a server that
    /// is away is an error of the call. Clones share it. `node` begins the `locked_by` of its locks; make it unique
    /// per process.
    ///
    /// Open the client with what the server needs: user and password, database, TLS (by a feature of the `redis`
    /// crate). TCP keepalive is switched on unless the client brings its own.
    pub fn new(client: Client, node: impl Into<String>) -> Self {
        let connections = Arc::new(Connections::of(client));
        Self {
            core: Core::new(Redis::in_env(DEFAULT_ENV, &connections), node),
            connections,
        }
    }

    /// Changes the environment: locks of different environments have nothing to do with one another. `default` at
    /// first.
    ///
    /// An environment with a colon is best avoided: `a:b` and `c` make the same key as `a` and `b:c`, in Java too.
    #[must_use]
    pub fn with_env(mut self, env: impl AsRef<str>) -> Self {
        self.core.store = Redis::in_env(env.as_ref(), &self.connections);
        self
    }

    /// Changes how long one call may take, connecting included. Three seconds at first.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.core.timeout = timeout;
        self
    }
}

#[derive(Debug)]
struct Redis {
    connections: Arc<Connections>,
    keys: Keys,
}

/// Milliseconds, rounded up.
fn millis(duration: Duration) -> String {
    duration.as_nanos().div_ceil(1_000_000).to_string()
}

/// Milliseconds since 1970, rounded up.
fn millis_at(time: DateTime<Utc>) -> String {
    let up = time.checked_add_signed(TimeDelta::nanoseconds(999_999));
    up.unwrap_or(time).timestamp_millis().to_string()
}

fn decoded<T: FromRedisValue>(answer: Value) -> Result<T, LockError> {
    if let Value::ServerError(error) = answer {
        return Err(lock_error(error.into()));
    }
    redis::from_redis_value(answer).map_err(|error| LockError::Database(error.into()))
}

fn taken(answer: Option<(String, i64)>) -> Result<Option<Taken>, LockError> {
    let Some((value, token)) = answer else {
        return Ok(None);
    };
    let Some((locked_at, _)) = keys::parse(&value) else {
        let cause = format!("the server wrote {value:?} as the value of a lock");
        return Err(LockError::Database(cause.into()));
    };
    Ok(Some(Taken { locked_at, token }))
}

impl Redis {
    fn in_env(env: &str, connections: &Arc<Connections>) -> Arc<Self> {
        Arc::new(Self {
            connections: connections.clone(),
            keys: Keys::of(env),
        })
    }

    /// Makes one call that may run twice.
    async fn one<T: FromRedisValue>(&self, call: Call) -> Result<T, LockError> {
        single(self.connections.ask(&[call]).await)
    }

    fn on_lock(&self, script: &'static Script, name: &str, arguments: Vec<String>) -> Call {
        Call::Script {
            script,
            keys: vec![self.keys.lock(name).into_bytes()],
            arguments,
        }
    }

    fn on_lock_and_fence(
        &self,
        script: &'static Script,
        name: &str,
        arguments: Vec<String>,
    ) -> Call {
        let lock = self.keys.lock(name);
        let fence = Keys::fence(&lock);
        Call::Script {
            script,
            keys: vec![lock.into_bytes(), fence.into_bytes()],
            arguments,
        }
    }

    async fn look(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let call = self.on_lock(&LOOK, name, Vec::new());
        let found: Option<(Vec<u8>, i64)> = self.one(call).await?;
        Ok(found.map(|(value, ends)| keys::info(name.as_bytes(), &value, ends)))
    }

    /// Asks about every key of this environment, in steps; a key may come twice.
    async fn each_lock<T: FromRedisValue>(
        &self,
        ask: impl Fn(&[u8]) -> Call,
        mut answered: impl FnMut(&[u8], Result<T, LockError>) -> Result<(), LockError>,
    ) -> Result<(), LockError> {
        let pattern = self.keys.pattern();
        let mut cursor = 0_u64;
        loop {
            let mut scan = Cmd::new();
            scan.arg("SCAN").arg(cursor).arg("MATCH").arg(&pattern);
            scan.arg("COUNT").arg(STEP);
            let (next, found): (u64, Vec<Vec<u8>>) = self.one(Call::Command(scan)).await?;
            if !found.is_empty() {
                let calls: Vec<_> = found.iter().map(|key| ask(key)).collect();
                let answers = self.connections.ask(&calls).await.map_err(lock_error)?;
                for (key, answer) in found.iter().zip(answers) {
                    answered(key, decoded(answer))?;
                }
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

fn single<T: FromRedisValue>(answers: RedisResult<Vec<Value>>) -> Result<T, LockError> {
    let mut answers = answers.map_err(lock_error)?;
    decoded(answers.pop().unwrap_or(Value::Nil))
}

#[async_trait]
impl Store for Redis {
    async fn take(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let arguments = vec![locked_by.to_owned(), millis(at_most)];
        taken(
            self.one(self.on_lock_and_fence(&TAKE, name, arguments))
                .await?,
        )
    }

    async fn take_over(
        &self,
        tail: &LockInfo,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let arguments = vec![
            locked_by.to_owned(),
            millis(at_most),
            tail.locked_by.clone(),
            millis_at(tail.lock_until),
        ];
        let call = self.on_lock_and_fence(&TAKE_OVER, &tail.name, arguments);
        taken(self.one(call).await?)
    }

    async fn extend(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<bool, LockError> {
        let arguments = vec![locked_by.to_owned(), millis(at_most)];
        let extended: i64 = self.one(self.on_lock(&EXTEND, name, arguments)).await?;
        Ok(extended == 1)
    }

    async fn release(
        &self,
        name: &str,
        locked_by: &str,
        not_before: DateTime<Utc>,
    ) -> Result<bool, LockError> {
        let arguments = vec![locked_by.to_owned(), millis_at(not_before)];
        let call = self.on_lock(&RELEASE, name, arguments);
        // After running twice, the second answer would be that the lock is not ours.
        let released: i64 = single(self.connections.ask_once(&[call]).await)?;
        Ok(released == 1)
    }

    async fn free(&self, held: &LockInfo) -> Result<bool, LockError> {
        let arguments = vec![held.locked_by.clone(), millis_at(held.lock_until)];
        let call = self.on_lock_and_fence(&FREE, &held.name, arguments);
        // After running twice, the second answer would be that the lock is as it was no more.
        let freed: i64 = single(self.connections.ask_once(&[call]).await)?;
        Ok(freed == 1)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        let look = |key: &[u8]| Call::Script {
            script: &LOOK,
            keys: vec![key.to_owned()],
            arguments: Vec::new(),
        };
        let mut locks = BTreeMap::new();
        self.each_lock::<Option<(Vec<u8>, i64)>>(look, |key, found| {
            match (self.keys.name_of(key), found) {
                (Some(name), Ok(Some((value, ends)))) => {
                    locks.insert(name.to_owned(), keys::info(name, &value, ends));
                }
                // Not a lock of anybody's; the check names it.
                (_, Ok(_) | Err(LockError::Schema(_))) => {}
                (_, Err(error)) => return Err(error),
            }
            Ok(())
        })
        .await?;
        Ok(locks.into_values().collect())
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        self.look(name).await
    }

    async fn schema_problems(&self) -> Result<Vec<String>, LockError> {
        self.problems().await
    }
}
