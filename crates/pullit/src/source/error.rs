//! Why something cannot be done with a source or an upload.

use thiserror::Error;

use crate::platform::storage::StorageError;

/// Why something cannot be done with a source or an upload.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no such source of this member.
    #[error("there is no such source")]
    NotFound,
    /// Files of this media type are not taken.
    #[error("only PDF, Markdown and plain text can be uploaded")]
    Type,
    /// The file is larger than what is taken.
    #[error("a file may have {max_bytes} bytes at most")]
    TooLarge {
        /// The bound.
        max_bytes: u64,
    },
    /// There is no such upload of this member.
    #[error("there is no such upload")]
    UploadUnknown,
    /// Nothing was uploaded to the URL.
    #[error("nothing was uploaded yet")]
    UploadMissing,
    /// What was uploaded, or is said to have been, is not what was announced.
    #[error("the upload is not what was announced: {field}")]
    UploadMismatch {
        /// Which of the announced values.
        field: &'static str,
    },
    /// The upload is a source already.
    #[error("the upload is complete already")]
    UploadCompleted,
    /// The storage did not do it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
