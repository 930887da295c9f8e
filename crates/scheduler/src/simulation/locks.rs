//! The lock table as a process of the simulation reaches it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shedlock::{LockError, LockInfo, LockStore, Taken};

use super::line::Line;
use super::weather::Fault;
use super::world::{Errand, World};

fn lock_error(fault: Fault) -> LockError {
    let cause = format!("simulated: {fault:?}").into();
    match fault {
        Fault::Lost => LockError::Unavailable(cause),
        Fault::Refused => LockError::Contended(cause),
    }
}

#[async_trait]
impl LockStore for Line {
    async fn take(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let (node, name, locked_by) = (self.node, name.to_owned(), locked_by.to_owned());
        self.call(Errand::Deed("broken off: taking"), move |world| {
            world.take(node, &name, &locked_by, at_most, None)
        })
        .await
        .map_err(lock_error)
    }

    async fn take_over(
        &self,
        tail: &LockInfo,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let (node, tail, locked_by) = (self.node, tail.clone(), locked_by.to_owned());
        self.call(Errand::Deed("broken off: taking"), move |world| {
            world.take(node, &tail.name, &locked_by, at_most, Some(&tail))
        })
        .await
        .map_err(lock_error)
    }

    async fn extend(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<bool, LockError> {
        let (node, name, locked_by) = (self.node, name.to_owned(), locked_by.to_owned());
        self.call(Errand::Deed("broken off: extension"), move |world| {
            world.extend(node, &name, &locked_by, at_most)
        })
        .await
        .map_err(lock_error)
    }

    async fn release(
        &self,
        name: &str,
        locked_by: &str,
        not_before: DateTime<Utc>,
    ) -> Result<bool, LockError> {
        let (node, name, locked_by) = (self.node, name.to_owned(), locked_by.to_owned());
        self.call(Errand::Deed("broken off: giving back"), move |world| {
            world.release(node, &name, &locked_by, not_before)
        })
        .await
        .map_err(lock_error)
    }

    /// No operator knows that a holder is dead.
    async fn free(&self, _: &LockInfo) -> Result<bool, LockError> {
        Ok(false)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        let act = |world: &mut World| {
            let tables = &world.tables;
            let names = tables.locks.keys();
            names.filter_map(|name| tables.lock_info(name)).collect()
        };
        self.call(Errand::Question, act).await.map_err(lock_error)
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let name = name.to_owned();
        self.call(Errand::Question, move |world| world.tables.lock_info(&name))
            .await
            .map_err(lock_error)
    }

    async fn schema_problems(&self) -> Result<Vec<String>, LockError> {
        Ok(Vec::new())
    }
}
