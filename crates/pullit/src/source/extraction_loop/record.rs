//! Records the outcome of a reading, while the claim holds.

use std::time::Duration;

use document_text::Extracted;

use super::{Claim, ExtractionLoop, Outcome};
use crate::source::store::leases;

/// Readings that the machine may bring down before the source has FAILED.
const MAX_ATTEMPTS: i32 = 3;

impl ExtractionLoop {
    /// Keeps what a reading came to, if the source is still the reader's.
    pub(super) async fn record(&self, claim: &Claim, outcome: Outcome) -> Result<(), sqlx::Error> {
        let (id, owner) = (claim.source.id, claim.owner.as_str());
        let (db, now) = (&self.sources.db, self.sources.now());
        let attempts = claim.source.attempts;
        let kept = match outcome {
            Outcome::Read(Extracted { text, page_count }) => {
                let mut tx = db.begin().await?;
                let kept = leases::ready(&mut tx, id, owner, &text, page_count, now).await?;
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
            Outcome::Slow => {
                tracing::info!(
                    source_id = id,
                    "reading a source takes long: it goes on behind those that do not"
                );
                counted("slow");
                leases::slow(db.write(), id, owner, now).await?
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

fn counted(outcome: &'static str) {
    metrics::counter!("pullit_source_extractions_total", "outcome" => outcome).increment(1);
}
