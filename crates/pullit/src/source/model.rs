//! Sources and uploads as the database has them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::platform::word::words;

/// Where a source is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SourceStatus {
    /// Its bytes are there, its text is not.
    Uploaded,
    /// Its text is being read.
    Processing,
    /// Its text can be used.
    Ready,
    /// Its text cannot be read.
    Failed,
    /// Its member deleted it; it waits for the cleanup.
    Deleted,
}

words!(SourceStatus in "source" {
    Uploaded = "UPLOADED",
    Processing = "PROCESSING",
    Ready = "READY",
    Failed = "FAILED",
    Deleted = "DELETED",
});

/// A file that a member would like to upload.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// Its name on the member's machine.
    pub file_name: String,
    /// Its media type.
    pub content_type: String,
    /// Its size in bytes.
    pub file_size: i64,
}

/// What a member says to have uploaded.
#[derive(Clone, Debug)]
pub struct CompleteUpload {
    /// The upload's id.
    pub upload_id: String,
    /// The key that the upload was given.
    pub file_path: String,
    /// The file's name.
    pub original_name: String,
    /// Its media type.
    pub content_type: String,
    /// Its size in bytes.
    pub file_size_bytes: i64,
}

/// An upload as the database has it.
#[derive(Clone, Debug)]
pub struct Upload {
    /// A UUID.
    pub id: String,
    /// Who asked for it.
    pub member_id: i64,
    /// Where its object goes.
    pub file_path: String,
    /// The file's name on the member's machine.
    pub original_name: String,
    /// Its media type, as announced.
    pub content_type: String,
    /// Its size in bytes, as announced.
    pub file_size_bytes: i64,
    /// When it was completed, or given up.
    pub completed_at: Option<DateTime<Utc>>,
    /// The source that it became.
    pub source_id: Option<i64>,
}
ground::from_row!(Upload {
    id,
    member_id,
    file_path,
    original_name,
    content_type,
    file_size_bytes,
    completed_at,
    source_id
});

/// A source in its member's list.
#[derive(Clone, Debug)]
pub struct ListedSource {
    /// Source id.
    pub id: i64,
    /// The file's name on the member's machine.
    pub original_name: String,
    /// Where it is in its life.
    pub status: SourceStatus,
    /// Pages of a PDF.
    pub page_count: Option<i32>,
    /// Size in bytes.
    pub file_size_bytes: i64,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// Why it FAILED.
    pub failure_reason: Option<String>,
    /// Living question sets made from it.
    pub question_set_count: i64,
    /// When the newest of them that is COMPLETE was asked for.
    pub recent_question_generated_at: Option<DateTime<Utc>>,
}
ground::from_row!(ListedSource {
    id,
    original_name,
    status,
    page_count,
    file_size_bytes,
    created_at,
    failure_reason,
    question_set_count,
    recent_question_generated_at
});

/// What other rooms need to know of a source before they use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// Source id.
    pub id: i64,
    /// Never DELETED.
    pub status: SourceStatus,
    /// The file's name on the member's machine.
    pub original_name: String,
    /// Why it FAILED.
    pub failure_reason: Option<String>,
}
ground::from_row!(SourceState {
    id,
    status,
    original_name,
    failure_reason
});

/// The text of a READY source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// Source id.
    pub id: i64,
    /// The file's name on the member's machine.
    pub original_name: String,
    /// Clean prose, a paragraph a line.
    pub content: String,
}
ground::from_row!(SourceText {
    id,
    original_name,
    content
});
