//! The child's answer, as it passes the pipe.

use serde::{Deserialize, Serialize};

use super::failure::WireFailure;
use super::{Extracted, ExtractionError, ExtractionFailure};

/// The one JSON document that the child writes to its standard output.
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
