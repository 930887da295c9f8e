//! Reads the texts of uploaded sources, for as long as the worker runs.
//!
//! A source is taken by a lease that is extended while its text is read. Whoever dies loses it to the next; whoever loses it, or whose
//! source is deleted meanwhile, stops, and whatever it still found out is not kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DbErr;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::extraction::{DocumentKind, Extracted, ExtractionError, Extractor};
use super::service::Sources;
use super::store::leases::{self, Taken};
use crate::platform::config::Config;
use crate::platform::storage::StorageError;

/// Readings that the machine may bring down before the source has FAILED.
const MAX_ATTEMPTS: i32 = 3;

/// Takes the text out of a document.
#[async_trait]
pub trait Extract: Send + Sync {
    /// Reads a file as a document of a kind; stops when cancelled.
    async fn extract(
        &self,
        file: &Path,
        kind: DocumentKind,
        cancel: &CancellationToken,
    ) -> Result<Extracted, ExtractionError>;
}

#[async_trait]
impl Extract for Extractor {
    async fn extract(
        &self,
        file: &Path,
        kind: DocumentKind,
        cancel: &CancellationToken,
    ) -> Result<Extracted, ExtractionError> {
        Extractor::extract(self, file, kind, cancel).await
    }
}

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
}

struct Claim {
    source: Taken,
    owner: String,
    /// Until when the lease surely holds, by our own monotonic clock.
    trusted_until: Instant,
}

enum Outcome {
    Read(Extracted),
    Rejected {
        code: &'static str,
        reason: String,
    },
    Unavailable(String),
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
            options,
        }
    }

    #[cfg(test)]
    pub(super) fn shorten_lease(&mut self, lease: Duration) {
        self.options.lease = lease;
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
    pub async fn drain(&self, cancel: &CancellationToken) -> Result<u64, DbErr> {
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

    async fn claim(&self) -> Result<Option<Claim>, DbErr> {
        if !leases::any_waiting(self.sources.db.read()).await? {
            return Ok(None);
        }
        // The node's name is for people; the tail makes each claim its own.
        let node = self.options.node.chars().take(200).collect::<String>();
        let owner = format!("{node}/{}", Uuid::new_v4());
        let trusted_until = Instant::now() + self.options.lease;
        let (lease, now) = (self.options.lease, self.sources.now());
        let source = leases::claim(self.sources.db.write(), &owner, lease, now).await?;
        Ok(source.map(|source| Claim {
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

    async fn read(&self, claim: &Claim, stop: &CancellationToken) -> Outcome {
        let source = &claim.source;
        let Some(kind) = DocumentKind::from_content_type(&source.content_type) else {
            return rejected("DOCUMENT_TYPE_UNKNOWN", "지원하지 않는 파일 형식입니다.");
        };
        let Ok(key) = source.file_path.parse() else {
            return missing();
        };
        let opened = self.sources.storage.open(&key, source.etag.as_deref());
        let object = match opened.await {
            Ok(object) => object,
            Err(StorageError::Missing) => return missing(),
            Err(StorageError::Changed) => {
                return rejected(
                    "OBJECT_CHANGED",
                    "업로드가 완료된 뒤 파일이 바뀌었습니다. 다시 올려 주세요.",
                );
            }
            Err(error @ StorageError::Unavailable { .. }) => {
                return Outcome::Unavailable(error.to_string());
            }
        };
        match self.extract.extract(object.path(), kind, stop).await {
            Ok(extracted) => Outcome::Read(extracted),
            Err(ExtractionError::Rejected(failure)) => rejected(failure.code, &failure.message),
            Err(ExtractionError::Unavailable(reason)) => Outcome::Unavailable(reason),
            Err(ExtractionError::Cancelled) => Outcome::Stopped,
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

    async fn record(&self, claim: &Claim, outcome: Outcome) -> Result<(), DbErr> {
        let (id, owner) = (claim.source.id, claim.owner.as_str());
        let (db, now) = (&self.sources.db, self.sources.now());
        let attempts = claim.source.attempts;
        let kept = match outcome {
            Outcome::Read(Extracted { text, page_count }) => {
                let tx = db.begin().await?;
                let kept = leases::ready(&tx, id, owner, &text, page_count, now).await?;
                tx.commit().await?;
                if kept {
                    let characters = text.chars().count();
                    tracing::info!(source_id = id, characters, "a source is ready");
                    counted("ready");
                }
                kept
            }
            Outcome::Rejected { code, reason } => {
                let kept = leases::failed(db.write(), id, owner, code, &reason, now).await?;
                if kept {
                    tracing::info!(source_id = id, code, "a source cannot be read");
                    counted("rejected");
                }
                kept
            }
            Outcome::Unavailable(reason) if attempts + 1 >= MAX_ATTEMPTS => {
                tracing::error!(source_id = id, reason, "gave up reading a source");
                let told = "지금은 문서를 읽을 수 없습니다. 잠시 후 다시 올려 주세요.";
                counted("unavailable");
                leases::failed(db.write(), id, owner, "EXTRACTION_UNAVAILABLE", told, now).await?
            }
            Outcome::Unavailable(reason) => {
                let attempts = attempts + 1;
                tracing::warn!(
                    source_id = id,
                    attempts,
                    reason,
                    "reading a source is tried again"
                );
                let after = self.options.backoff * attempts.unsigned_abs();
                leases::give_back(db.write(), id, owner, attempts, after, now).await?
            }
            Outcome::Stopped => {
                leases::give_back(db.write(), id, owner, attempts, Duration::ZERO, now).await?
            }
            Outcome::Lost => false,
        };
        if !kept {
            tracing::info!(
                source_id = id,
                "what was read is dropped: the source was deleted or taken over"
            );
            leases::release(db.write(), id, owner).await?;
        }
        Ok(())
    }
}

fn rejected(code: &'static str, reason: &str) -> Outcome {
    Outcome::Rejected {
        code,
        reason: reason.to_owned(),
    }
}

fn missing() -> Outcome {
    rejected(
        "OBJECT_MISSING",
        "업로드한 파일이 저장소에 없습니다. 다시 올려 주세요.",
    )
}

fn counted(outcome: &'static str) {
    metrics::counter!("pullit_source_extractions_total", "outcome" => outcome).increment(1);
}

fn notice(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a reading broke down; its source is read again when its lease ends");
    }
}
