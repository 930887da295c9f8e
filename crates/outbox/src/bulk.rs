//! Publishing a stream of millions.

use std::{pin::pin, sync::Arc};

use futures::{Stream, StreamExt};
use ground::{Connection, Database, Fence, FenceError, NoFence};
use tokio_util::sync::CancellationToken;

use crate::{
    NewEvent, Now, OutboxError,
    publish::{Row, insert_rows},
};

/// Publishes a stream of millions of events, in transactions of bounded size.
///
/// Each transaction is whole or not at all. For events that a query can give,
/// [`publish_select`](crate::publish_select) is faster.
#[derive(Clone)]
pub struct Bulk {
    db: Database,
    now: Now,
    rows: usize,
    bytes: usize,
    fence: Arc<dyn Fence>,
    cancellation: CancellationToken,
}

/// What a bulk published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkReport {
    /// Events committed.
    pub published: u64,
    /// Whether these were all. If not, the bulk was cancelled.
    pub complete: bool,
}

/// A bulk that stopped half-way.
///
/// The events that it reports as published stay, in their order. The transaction in which it failed is rolled back. Only
/// if the answer to a commit was lost, it may have committed.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// The database failed.
    #[error("publishing stopped after {published} events, which stay: {cause}")]
    Outbox {
        /// Events committed before.
        published: u64,
        /// What failed.
        cause: OutboxError,
    },
    /// The fence lets this run write no more, or could not be asked.
    #[error("publishing stopped after {published} events, which stay, at its fence: {cause}")]
    Fence {
        /// Events committed before.
        published: u64,
        /// What it said.
        cause: FenceError,
    },
}

impl Bulk {
    /// Transactions of at most 10,000 events and about 8 MiB, without a fence or a cancellation.
    #[must_use]
    pub fn new(db: impl Into<Database>, now: Now) -> Self {
        Self {
            db: db.into(),
            now,
            rows: 10_000,
            bytes: 8 << 20,
            fence: Arc::new(NoFence),
            cancellation: CancellationToken::new(),
        }
    }

    /// At most so many events in a transaction, and about so many bytes. One event is always taken, whatever its size.
    #[must_use]
    pub fn at_once(self, rows: usize, bytes: usize) -> Self {
        Self {
            rows: rows.max(1),
            bytes,
            ..self
        }
    }

    /// Asked in each transaction before its commit.
    #[must_use]
    pub fn fence(self, fence: Arc<dyn Fence>) -> Self {
        Self { fence, ..self }
    }

    /// Ends it between two transactions.
    #[must_use]
    pub fn cancellation(self, cancellation: CancellationToken) -> Self {
        Self {
            cancellation,
            ..self
        }
    }

    /// Publishes all events, in their order.
    ///
    /// `progress` gets the number of committed events after each transaction. Wake the relay there. No transaction is open
    /// while it waits for the stream.
    ///
    /// # Errors
    /// When the database fails, or the fence.
    pub async fn publish(
        &self,
        events: impl Stream<Item = NewEvent>,
        mut progress: impl FnMut(u64),
    ) -> Result<BulkReport, BulkError> {
        let mut rows = pin!(events.map(Row::of));
        let mut published = 0;
        loop {
            let mut chunk = Vec::new();
            let mut bytes = 0;
            let collecting = async {
                while chunk.len() < self.rows
                    && (chunk.is_empty() || bytes < self.bytes)
                    && let Some(row) = rows.next().await
                {
                    bytes += row.bytes;
                    chunk.push(row);
                }
            };
            let collected = self.cancellation.run_until_cancelled(collecting).await;
            if collected.is_none() {
                return Ok(BulkReport {
                    published,
                    complete: false,
                });
            }
            if chunk.is_empty() {
                return Ok(BulkReport {
                    published,
                    complete: true,
                });
            }
            match self.commit(chunk).await {
                Ok(committed) => published += committed,
                Err(Fault::Outbox(cause)) => return Err(BulkError::Outbox { published, cause }),
                Err(Fault::Fence(cause)) => return Err(BulkError::Fence { published, cause }),
            }
            progress(published);
        }
    }

    async fn commit(&self, chunk: Vec<Row>) -> Result<u64, Fault> {
        let mut tx = self.db.begin().await?;
        let inserted = self.insert(&mut tx, chunk).await;
        // Ended here in either case, so that the one connection of SQLite is free for the next statement.
        match inserted {
            Ok(_) => tx.commit().await?,
            Err(_) => tx.rollback().await,
        }
        inserted
    }

    async fn insert(&self, tx: &mut Connection<'_>, chunk: Vec<Row>) -> Result<u64, Fault> {
        let inserted = insert_rows(tx, chunk.into_iter(), (self.now)()).await?;
        self.fence.check(tx).await.map_err(Fault::Fence)?;
        Ok(inserted)
    }
}

enum Fault {
    Outbox(OutboxError),
    Fence(FenceError),
}

impl From<OutboxError> for Fault {
    fn from(error: OutboxError) -> Self {
        Self::Outbox(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Outbox(error.into())
    }
}
