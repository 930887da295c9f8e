//! From text to questions: the seam that every generator fills.
//!
//! A [`QuestionGenerator`] gets the joined text of a set's sources and answers with finished
//! questions. [`offline`] needs nothing but the text; [`model`] asks a language model.
//! Whatever comes back goes through [`validate`] before it is stored.

use std::{fmt, ops::Range, str::FromStr, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

pub mod model;
pub mod offline;
mod validation;

pub use offline::OfflineGenerator;
pub use validation::validate;

/// What is wanted of a generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationRequest {
    /// The text of all sources, joined by blank lines.
    pub text: String,
    /// Sources whose PDF file is at hand, in the order of their texts: some, where the generator takes files.
    pub files: Vec<SourceFile>,
    /// The kind of every question in the set.
    pub kind: QuestionKind,
    /// How hard the questions should be.
    pub difficulty: Difficulty,
    /// How many questions; never fewer come back without an error.
    pub count: usize,
    /// The same text, wishes and seed give the same questions where a generator can promise it.
    pub seed: u64,
}

/// The PDF file of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Where its text stands in that of all sources.
    pub text: Range<usize>,
    /// The file.
    pub bytes: Bytes,
}

/// The kind of a question.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum QuestionKind {
    /// One right option among four.
    MultipleChoice,
    /// A statement that is true or false.
    TrueFalse,
    /// A word, a name or a number to be written.
    ShortAnswer,
}

/// How hard the questions of a set are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Difficulty {
    /// What the text is mainly about.
    Easy,
    /// A mixture.
    Medium,
    /// Details, with options that are close to each other.
    Hard,
}

/// The word is no value of the enum it was parsed as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not one of {allowed}")]
pub struct UnknownName {
    value: String,
    allowed: &'static str,
}

macro_rules! contract_names {
    ($type:ident { $($variant:ident = $name:literal),+ }) => {
        impl $type {
            /// The name in the contract and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(value: &str) -> Result<Self, UnknownName> {
                match value {
                    $($name => Ok(Self::$variant),)+
                    other => Err(UnknownName {
                        value: other.to_owned(),
                        allowed: concat!($($name, " "),+).trim_ascii_end(),
                    }),
                }
            }
        }
    };
}

contract_names!(QuestionKind {
    MultipleChoice = "MULTIPLE_CHOICE",
    TrueFalse = "TRUE_FALSE",
    ShortAnswer = "SHORT_ANSWER"
});
contract_names!(Difficulty {
    Easy = "EASY",
    Medium = "MEDIUM",
    Hard = "HARD"
});

/// One finished question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedQuestion {
    /// What the member reads, except for the options.
    pub text: String,
    /// Four distinct options for [`QuestionKind::MultipleChoice`], otherwise none.
    pub options: Option<Vec<String>>,
    /// The right answer.
    pub answer: Answer,
    /// Why it is right, shown after marking.
    pub explanation: String,
}

/// The right answer of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The right option of a multiple-choice question, or the expected short answer.
    Text(String),
    /// Whether the statement is true.
    Boolean(bool),
}

/// Why no questions came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenerationError {
    /// The same request will fail again: it must not be retried.
    #[error("{code}: {message}")]
    Permanent {
        /// A stable code, e.g. `NOT_ENOUGH_MATERIAL`.
        code: &'static str,
        /// The reason, in Korean, for the member.
        message: String,
    },
    /// Another attempt may succeed.
    #[error("{code}: {message}")]
    Transient {
        /// A stable code, e.g. `CANCELLED`.
        code: &'static str,
        /// The reason, in Korean, for the member.
        message: String,
        /// How long the other side asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The generator is not to be asked now. The attempt is not over: it goes on later.
    #[error("put off for {after:?}")]
    PutOff {
        /// Not before this has passed.
        after: Duration,
    },
}

impl GenerationError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Permanent { code, .. } | Self::Transient { code, .. } => code,
            Self::PutOff { .. } => "PUT_OFF",
        }
    }

    /// The reason for the member, without the code.
    pub fn message(&self) -> &str {
        match self {
            Self::Permanent { message, .. } | Self::Transient { message, .. } => message,
            Self::PutOff { .. } => "잠시 후 다시 시도합니다.",
        }
    }

    /// Whether the set may be tried again.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::Permanent { .. })
    }
}

/// Makes questions from text.
#[async_trait]
pub trait QuestionGenerator: Send + Sync {
    /// Bytes of PDF files that it would rather have beside their text; none, unless it says so.
    fn files_up_to(&self) -> u64 {
        0
    }

    /// Makes exactly `request.count` questions, or says why that cannot be.
    ///
    /// # Errors
    /// [`GenerationError::Permanent`] when the request can never succeed,
    /// [`GenerationError::Transient`] when trying again is worth it, also after `cancel`,
    /// [`GenerationError::PutOff`] when nothing was asked of anybody and the same attempt should go on later.
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_difficulties_are_spelled_as_in_the_contract() {
        for (kind, name) in [
            (QuestionKind::MultipleChoice, "MULTIPLE_CHOICE"),
            (QuestionKind::TrueFalse, "TRUE_FALSE"),
            (QuestionKind::ShortAnswer, "SHORT_ANSWER"),
        ] {
            assert_eq!(kind.to_string(), name);
            assert_eq!(name.parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
        for (difficulty, name) in [
            (Difficulty::Easy, "EASY"),
            (Difficulty::Medium, "MEDIUM"),
            (Difficulty::Hard, "HARD"),
        ] {
            assert_eq!(difficulty.to_string(), name);
            assert_eq!(name.parse(), Ok(difficulty));
            assert_eq!(serde_json::to_value(difficulty).unwrap(), name);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_names_that_exist() {
        let error = "easy".parse::<Difficulty>().unwrap_err();
        assert_eq!(error.to_string(), "\"easy\" is not one of EASY MEDIUM HARD");
    }
}
