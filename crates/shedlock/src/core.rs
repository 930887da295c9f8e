//! What all providers share: owner names, time limits and metrics.

use std::{future::Future, sync::Arc, time::Duration};

use chrono::DateTime;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};
use uuid::Uuid;

pub(crate) use crate::store::{LockStore as Store, Taken};
use crate::{
    BootClock, LeaseClock, LockConfiguration, LockError, LockGuard, LockInfo, SchemaError,
    ShutDown,
    attempt::Attempt,
    clock::BootInstant,
    guard::Acquisition,
    owned::{OwnedLock, OwnedLocks},
};

/// Characters in the `locked_by` column.
const MAX_OWNER_LENGTH: usize = 255;
/// Characters of a simple UUID and the colon before it.
const TAIL_LENGTH: usize = 33;
/// How long one statement may take, waiting for a connection included.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
/// The margin of trust is a tenth of the lease, but no more than this.
const DEFAULT_MARGIN: Duration = Duration::from_secs(1);

/// A store with its node's name and time limit.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) node: Arc<str>,
    pub(crate) timeout: Duration,
    pub(crate) clock: Arc<dyn LeaseClock>,
    pub(crate) margin: Duration,
    pub(crate) owned: Arc<OwnedLocks>,
}

impl Core {
    pub(crate) fn new(store: Arc<dyn Store>, node: impl Into<String>) -> Self {
        Self {
            store,
            node: node.into().into(),
            timeout: DEFAULT_TIMEOUT,
            clock: Arc::new(BootClock),
            margin: DEFAULT_MARGIN,
            owned: Arc::default(),
        }
    }

    pub(crate) fn now(&self) -> BootInstant {
        BootInstant::of(&*self.clock)
    }

    #[tracing::instrument(name = "shedlock.try_lock", level = "debug", skip_all, fields(lock = c.name()))]
    pub(crate) async fn try_lock(
        &self,
        c: &LockConfiguration,
    ) -> Result<Option<LockGuard>, LockError> {
        counted(c, self.attempt(c, None).await)
    }

    #[tracing::instrument(name = "shedlock.try_lock", level = "debug", skip_all, fields(lock = c.name()))]
    pub(crate) async fn try_lock_over(
        &self,
        c: &LockConfiguration,
        previous_owner: &str,
    ) -> Result<Option<LockGuard>, LockError> {
        counted(c, self.attempt_over(c, previous_owner).await)
    }

    async fn attempt_over(
        &self,
        c: &LockConfiguration,
        previous_owner: &str,
    ) -> Result<Option<LockGuard>, LockError> {
        // The tail is read before it is overwritten: a lost answer must not lose it.
        let tail = bounded(self.timeout, self.store.lock_info(c.name()))
            .await?
            .filter(|row| row.held && row.locked_by == previous_owner);
        if tail.is_some()
            && let Some(guard) = self.attempt(c, tail).await?
        {
            return Ok(Some(guard));
        }
        self.attempt(c, None).await
    }

    async fn attempt(
        &self,
        c: &LockConfiguration,
        tail: Option<LockInfo>,
    ) -> Result<Option<LockGuard>, LockError> {
        let mut tail_end = tail.as_ref().map(|row| row.lock_until);
        let not_before = tail_end.unwrap_or(DateTime::UNIX_EPOCH);
        let owner = self.new_owner();
        let registration = self.owned.register(c.name(), owner.clone(), not_before)?;
        let owned = registration.lock.clone();
        let mut attempt = Attempt {
            core: self,
            registration: Some(registration),
            at_most: c.at_most(),
            undecided: true,
        };
        let sent = self.now();
        let taken = bounded(self.timeout, async {
            match &tail {
                Some(row) => self.store.take_over(row, &owner, c.at_most()).await,
                None => self.store.take(c.name(), &owner, c.at_most()).await,
            }
        })
        .await;
        attempt.undecided = matches!(
            taken,
            Err(LockError::Timeout(_) | LockError::Unavailable(_))
        );
        let Some(taken) = taken? else {
            return Ok(None);
        };
        if let Some(row) = tail.filter(|row| row.locked_at > taken.locked_at) {
            // The store's clock was set back since. A tail is as long as it was, and does not end when it would have.
            tail_end = Some(taken.locked_at + (row.lock_until - row.locked_at));
        }
        // Nobody has it before this is through, and the caller may stop waiting.
        attempt.undecided = true;
        let mut requests = owned.requests.lock().await;
        if requests.revoked {
            // The shutdown's release may have come before the row was taken.
            let release = self.store.release(c.name(), &owner, requests.not_before);
            attempt.undecided = bounded(self.timeout, release).await.is_err();
            return Ok(None);
        }
        let Some(registration) = attempt.registration.take() else {
            return Ok(None);
        };
        debug!(
            lock = c.name(),
            locked_by = owner,
            token = taken.token,
            "lock taken"
        );
        let acquisition = Acquisition {
            taken,
            at_least: c.at_least(),
            at_most: c.at_most(),
            tail_end,
            sent,
        };
        let guard = LockGuard::new(self.clone(), registration, acquisition);
        requests.not_before = guard.not_before();
        Ok(Some(guard))
    }

    /// Unique per acquisition, so that an expired holder never matches a newer row of its own process.
    fn new_owner(&self) -> String {
        let node: String = self
            .node
            .chars()
            .take(MAX_OWNER_LENGTH - TAIL_LENGTH)
            .collect();
        format!("{node}:{}", Uuid::new_v4().simple())
    }

    pub(crate) async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        bounded(self.timeout, self.store.locks()).await
    }

    pub(crate) async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        bounded(self.timeout, self.store.lock_info(name)).await
    }

    pub(crate) async fn force_release(&self, held: &LockInfo) -> Result<bool, LockError> {
        let freed = bounded(self.timeout, self.store.free(held)).await?;
        if freed {
            warn!(
                lock = held.name,
                locked_by = held.locked_by,
                "a lock was released for its holder by an operator: it is free"
            );
        }
        Ok(freed)
    }

    pub(crate) async fn free_if_stale(&self, c: &LockConfiguration) -> Result<bool, LockError> {
        bounded(
            self.timeout,
            self.store.free_if_stale(c.name(), c.at_most()),
        )
        .await
    }

    pub(crate) async fn shut_down(&self, grace: Duration) -> ShutDown {
        self.owned.close();
        if !grace.is_zero() {
            let emptied = self.owned.emptied();
            // What is left after the grace is what the next step is about.
            let _ = tokio::time::timeout(grace, emptied).await;
        }
        let mut revocations = JoinSet::new();
        for owned in self.owned.remaining() {
            let core = self.clone();
            revocations.spawn(async move {
                let released = core.revoke(&owned).await;
                (owned.name.clone(), released)
            });
        }
        let mut report = ShutDown::default();
        while let Some(revocation) = revocations.join_next().await {
            match revocation {
                Ok((name, Ok(true))) => report.released.push(name),
                Ok((_, Ok(false))) => {}
                Ok((name, Err(error))) => report.failed.push((name, error)),
                Err(error) => {
                    warn!(%error, "a lock was not given back; it stays taken until its lease runs out")
                }
            }
        }
        report
    }

    /// Gives a lock back without its holder. False: it was not owned any more.
    async fn revoke(&self, owned: &OwnedLock) -> Result<bool, LockError> {
        owned.lost.cancel();
        let requests = async { Ok(owned.requests.lock().await) };
        let mut requests = bounded(self.timeout, requests).await?;
        requests.revoked = true;
        let (name, locked_by) = (&owned.name, &owned.locked_by);
        let release = self.store.release(name, locked_by, requests.not_before);
        let released = bounded(self.timeout, release).await;
        match &released {
            Ok(true) => info!(lock = name, locked_by, "lock given back at shutdown"),
            Ok(false) => {}
            Err(error) => {
                warn!(lock = name, locked_by, %error, "a lock was not given back at shutdown; it stays taken until its lease runs out");
            }
        }
        released
    }

    pub(crate) async fn check_schema(&self) -> Result<(), SchemaError> {
        let problems = bounded(self.timeout, self.store.schema_problems()).await?;
        if problems.is_empty() {
            Ok(())
        } else {
            Err(SchemaError::Unusable(problems))
        }
    }
}

/// Ends a database call that does not answer.
pub(crate) async fn bounded<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, LockError>>,
) -> Result<T, LockError> {
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or(Err(LockError::Timeout(limit)))
}

fn counted(
    c: &LockConfiguration,
    result: Result<Option<LockGuard>, LockError>,
) -> Result<Option<LockGuard>, LockError> {
    let label = match &result {
        Ok(Some(_)) => "acquired",
        Ok(None) => "held",
        Err(_) => "error",
    };
    metrics::counter!("shedlock_acquire_total", "result" => label).increment(1);
    if let Err(error) = &result {
        debug!(lock = c.name(), %error, "lock not acquired");
    }
    result
}

/// Makes a newtype around [`Core`] a provider.
macro_rules! provider_from_core {
    ($provider:ty) => {
        #[async_trait::async_trait]
        impl crate::LockProvider for $provider {
            async fn try_lock(
                &self,
                c: &crate::LockConfiguration,
            ) -> Result<Option<crate::LockGuard>, crate::LockError> {
                self.core.try_lock(c).await
            }

            async fn try_lock_over(
                &self,
                c: &crate::LockConfiguration,
                previous_owner: &str,
            ) -> Result<Option<crate::LockGuard>, crate::LockError> {
                self.core.try_lock_over(c, previous_owner).await
            }

            async fn locks(&self) -> Result<Vec<crate::LockInfo>, crate::LockError> {
                self.core.locks().await
            }

            async fn lock_info(
                &self,
                name: &str,
            ) -> Result<Option<crate::LockInfo>, crate::LockError> {
                self.core.lock_info(name).await
            }

            async fn force_release(
                &self,
                held: &crate::LockInfo,
            ) -> Result<bool, crate::LockError> {
                self.core.force_release(held).await
            }

            async fn free_if_stale(
                &self,
                c: &crate::LockConfiguration,
            ) -> Result<bool, crate::LockError> {
                self.core.free_if_stale(c).await
            }

            async fn shut_down(&self, grace: std::time::Duration) -> crate::ShutDown {
                self.core.shut_down(grace).await
            }

            async fn check_schema(&self) -> Result<(), crate::SchemaError> {
                self.core.check_schema().await
            }
        }
    };
}
pub(crate) use provider_from_core;
