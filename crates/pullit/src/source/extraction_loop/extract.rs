//! The seam to whatever takes the text out of a document.

use std::path::Path;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use document_text::{DocumentKind, Extracted, ExtractionError, Extractor};

/// What a kernel lacks is said once.
static WARNED: std::sync::Once = std::sync::Once::new();

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
        let extracted = Extractor::extract(self, file, kind, cancel).await;
        let missing = self.missing_protections();
        if !missing.is_empty() {
            WARNED.call_once(|| {
                tracing::warn!(
                    missing = missing.join(", "),
                    "this kernel lacks parts of what confines the reader of a document: a hostile one could do more"
                );
            });
        }
        extracted
    }
}
