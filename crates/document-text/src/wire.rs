//! The child's answer, as it passes the pipe.

use serde::{Deserialize, Serialize};

use super::failure::WireFailure;
use super::{Extracted, ExtractionError, ExtractionFailure};

/// The one JSON document that the child writes to its standard output.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    #[serde(flatten)]
    pub(super) answer: Answer,
    /// What this kernel lacks to confine the child.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) missing: Vec<String>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            missing: Vec::new(),
        }
    }
}

/// What the child has to say.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Answer {
    Text {
        text: String,
        page_count: Option<i32>,
    },
    Rejected(WireFailure),
    Unavailable(String),
}

impl From<Result<Extracted, ExtractionFailure>> for Answer {
    fn from(result: Result<Extracted, ExtractionFailure>) -> Self {
        match result {
            Ok(Extracted { text, page_count }) => Self::Text { text, page_count },
            Err(failure) => Self::Rejected(failure.into()),
        }
    }
}

impl From<Answer> for Result<Extracted, ExtractionError> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Text { text, page_count } => Ok(Extracted { text, page_count }),
            Answer::Rejected(failure) => Err(match ExtractionFailure::try_from(failure) {
                Ok(failure) => ExtractionError::Rejected(failure),
                Err(reason) => ExtractionError::Unavailable(reason),
            }),
            Answer::Unavailable(reason) => Err(ExtractionError::Unavailable(reason)),
        }
    }
}
