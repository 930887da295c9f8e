//! One claimed document, from its object to an outcome.

use document_text::{DocumentKind, ExtractionError};
use tokio_util::sync::CancellationToken;

use super::{Claim, ExtractionLoop, Outcome};
use crate::platform::storage::StorageError;

impl ExtractionLoop {
    /// Reads the version of the object that was verified.
    pub(super) async fn read(&self, claim: &Claim, stop: &CancellationToken) -> Outcome {
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
        let extraction = self.extract.extract(object.path(), kind, stop);
        let extracted = if source.slow == 1 {
            extraction.await
        } else {
            // Leaving it ends its child.
            match tokio::time::timeout(self.options.first, extraction).await {
                Ok(extracted) => extracted,
                Err(_) => return Outcome::Slow,
            }
        };
        match extracted {
            Ok(extracted) => Outcome::Read(extracted),
            Err(ExtractionError::Rejected(failure)) => rejected(failure.code, &failure.message),
            Err(ExtractionError::Unavailable(reason)) => Outcome::Unavailable(reason),
            Err(ExtractionError::Cancelled) => Outcome::Stopped,
        }
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
