//! Reads the texts of uploaded sources, for as long as the worker runs.
//!
//! A source is taken by a lease that is extended while its text is read. Whoever dies loses it to the next; whoever loses it, or whose
//! source is deleted meanwhile, stops, and whatever it still found out is not kept.

mod extract;
mod reading;
mod record;

pub use extract::Extract;

use std::sync::Arc;
use std::time::Duration;

use document_text::Extracted;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::service::Sources;
use super::store::leases::{self, Taken};
use crate::platform::config::Config;

/// How the loop goes.
#[derive(Clone, Debug)]
pub struct ExtractionOptions {
    /// Name of this node, for people who look into the table.
    pub node: String,
    /// Documents read at the same time.
    pub concurrency: usize,
    /// How long a silent reader is believed alive; extended thrice as often.
    pub lease: Duration,
    /// How often to look for work that nobody announced.
    pub poll: Duration,
    /// The time of a first reading. A document that needs more is read again, with all its time, behind those that do not.
    pub first: Duration,
    /// Pause before a reading that the machine brought down is tried again, times the attempts so far.
    pub backoff: Duration,
}

impl From<&Config> for ExtractionOptions {
    fn from(config: &Config) -> Self {
        Self {
            node: config.node_id.clone(),
            concurrency: config.upload.extraction_concurrency,
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            first: Duration::from_secs(5),
            backoff: Duration::from_secs(5),
        }
    }
}

/// The loop of one worker.
#[derive(Clone)]
pub struct ExtractionLoop {
    sources: Arc<Sources>,
    extract: Arc<dyn Extract>,
    options: ExtractionOptions,
    /// Slow documents that may be read at the same time: one slot stays free for the others, where there is more than one.
    slow: Arc<Semaphore>,
}

struct Claim {
    source: Taken,
    owner: String,
    /// Until when the lease surely holds, by our own monotonic clock.
    trusted_until: Instant,
    /// The room of a slow document, until its reading has ended.
    _slow: Option<OwnedSemaphorePermit>,
}

enum Outcome {
    Read(Extracted),
    Rejected {
        code: &'static str,
        reason: String,
    },
    Unavailable(String),
    /// The time of a first reading was not enough.
    Slow,
    /// This node is shutting down.
    Stopped,
    /// The source is another's now, or deleted.
    Lost,
}

impl ExtractionLoop {
    /// A loop over the sources of a room.
    pub fn new(
        sources: Arc<Sources>,
        extract: Arc<dyn Extract>,
        options: ExtractionOptions,
    ) -> Self {
        Self {
            sources,
            extract,
            slow: Arc::new(Semaphore::new(options.concurrency.saturating_sub(1).max(1))),
            options,
        }
    }

    #[cfg(test)]
    pub(super) fn shorten_lease(&mut self, lease: Duration) {
        self.options.lease = lease;
    }

    #[cfg(test)]
    pub(super) fn shorten_first(&mut self, first: Duration) {
        self.options.first = first;
    }

    /// Works until cancelled; then stops its readings, gives their sources back, and returns.
    pub async fn run(&self, cancel: CancellationToken) {
        let mut readings = JoinSet::new();
        loop {
            self.fill(&mut readings, &cancel).await;
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.sources.waiting.notified() => {}
                () = tokio::time::sleep(self.options.poll) => {}
                Some(ended) = readings.join_next() => notice(ended),
            }
        }
        while let Some(ended) = readings.join_next().await {
            notice(ended);
        }
    }

    /// Reads everything that waits now, one after the other, and returns how many were read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drain(&self, cancel: &CancellationToken) -> Result<u64, sqlx::Error> {
        let mut count = 0;
        while let Some(claim) = self.claim().await? {
            self.work(claim, cancel).await;
            count += 1;
        }
        Ok(count)
    }

    async fn fill(&self, readings: &mut JoinSet<()>, cancel: &CancellationToken) {
        while let Some(ended) = readings.try_join_next() {
            notice(ended);
        }
        while readings.len() < self.options.concurrency && !cancel.is_cancelled() {
            match self.claim().await {
                Ok(None) => break,
                Ok(Some(claim)) => {
                    let (this, cancel) = (self.clone(), cancel.clone());
                    readings.spawn(async move { this.work(claim, &cancel).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "uploaded sources wait until the database answers again");
                    break;
                }
            }
        }
    }

    async fn claim(&self) -> Result<Option<Claim>, sqlx::Error> {
        let room = Arc::clone(&self.slow).try_acquire_owned().ok();
        if !leases::any_waiting(self.sources.db.read(), room.is_some()).await? {
            return Ok(None);
        }
        // The node's name is for people; the tail makes each claim its own.
        let node = self.options.node.chars().take(200).collect::<String>();
        let owner = format!("{node}/{}", Uuid::new_v4());
        let trusted_until = Instant::now() + self.options.lease;
        let (lease, now) = (self.options.lease, self.sources.now());
        let source =
            leases::claim(self.sources.db.write(), &owner, lease, room.is_some(), now).await?;
        Ok(source.map(|source| Claim {
            _slow: room.filter(|_| source.slow == 1),
            source,
            owner,
            trusted_until,
        }))
    }

    async fn work(&self, claim: Claim, cancel: &CancellationToken) {
        let stop = cancel.child_token();
        let outcome = {
            let reading = self.read(&claim, &stop);
            tokio::pin!(reading);
            tokio::select! {
                biased;
                outcome = &mut reading => outcome,
                () = self.keep(&claim) => {
                    stop.cancel();
                    reading.await;
                    Outcome::Lost
                }
            }
        };
        let id = claim.source.id;
        if let Err(error) = self.record(&claim, outcome).await {
            tracing::warn!(source_id = id, %error, "the text of this source is read again when its lease ends");
        }
    }

    /// Extends the lease; returns when it is lost, or may be.
    async fn keep(&self, claim: &Claim) {
        let lease = self.options.lease;
        let mut trusted_until = claim.trusted_until;
        loop {
            tokio::time::sleep(lease / 3).await;
            let asked = Instant::now();
            let db = self.sources.db.write();
            let extended = leases::extend(db, claim.source.id, &claim.owner, lease);
            match tokio::time::timeout_at(trusted_until, extended).await {
                Ok(Ok(true)) => trusted_until = asked + lease,
                Ok(Ok(false)) => return,
                Ok(Err(_)) if Instant::now() < trusted_until => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

fn notice(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a reading broke down; its source is read again when its lease ends");
    }
}
