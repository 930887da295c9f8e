//! What all providers share: owner names, time limits and metrics.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tracing::debug;
use uuid::Uuid;

use crate::{
    LockConfiguration, LockError, LockGuard, LockInfo, SchemaError, attempt::Attempt,
    clock::BootInstant, guard::Acquisition,
};

/// Characters in the `locked_by` column.
const MAX_OWNER_LENGTH: usize = 255;
/// Characters of a simple UUID and the colon before it.
const TAIL_LENGTH: usize = 33;
/// How long one statement may take, waiting for a connection included.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// A row that was just taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) locked_at: DateTime<Utc>,
    pub(crate) token: i64,
}

/// One kind of database: only statements. `true` or `Some` mean that exactly one row was changed.
#[async_trait]
pub(crate) trait Store: Send + Sync + Debug + 'static {
    /// Takes the row if it is missing or free.
    async fn take(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError>;
    /// Takes the row if it is still exactly `tail`: same holder, same end, not yet over.
    async fn take_over(
        &self,
        tail: &LockInfo,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError>;
    /// Moves the end to `at_most` from now, if the row is ours and not yet over.
    async fn extend(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<bool, LockError>;
    /// Moves the end to now, but not before `not_before`, if the row is ours and not yet over.
    async fn release(
        &self,
        name: &str,
        locked_by: &str,
        not_before: DateTime<Utc>,
    ) -> Result<bool, LockError>;
    async fn locks(&self) -> Result<Vec<LockInfo>, LockError>;
    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError>;
    /// Everything that is wrong with the tables.
    async fn schema_problems(&self) -> Result<Vec<String>, LockError>;
}

/// A store with its node's name and time limit.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) node: Arc<str>,
    pub(crate) timeout: Duration,
}

impl Core {
    pub(crate) fn new(store: Arc<dyn Store>, node: impl Into<String>) -> Self {
        Self {
            store,
            node: node.into().into(),
            timeout: DEFAULT_TIMEOUT,
        }
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
        let tail_end = tail.as_ref().map(|row| row.lock_until);
        let mut attempt = Attempt {
            core: self,
            name: c.name(),
            locked_by: self.new_owner(),
            not_before: tail_end.unwrap_or(DateTime::UNIX_EPOCH),
            undecided: true,
        };
        let sent = BootInstant::now();
        let owner = attempt.locked_by.as_str();
        let taken = bounded(self.timeout, async {
            match &tail {
                Some(row) => self.store.take_over(row, owner, c.at_most()).await,
                None => self.store.take(c.name(), owner, c.at_most()).await,
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
        debug!(
            lock = c.name(),
            locked_by = attempt.locked_by,
            token = taken.token,
            "lock taken"
        );
        Ok(Some(LockGuard::new(
            self.clone(),
            Acquisition {
                name: c.name().to_owned(),
                locked_by: std::mem::take(&mut attempt.locked_by),
                taken,
                at_least: c.at_least(),
                at_most: c.at_most(),
                tail_end,
                sent,
            },
        )))
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

            async fn check_schema(&self) -> Result<(), crate::SchemaError> {
                self.core.check_schema().await
            }
        }
    };
}
pub(crate) use provider_from_core;
