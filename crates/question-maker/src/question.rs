//! Questions, their kinds and their difficulty.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One finished question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedQuestion {
    /// What is asked, without the options.
    pub text: String,
    /// Four distinct options for [`QuestionKind::MultipleChoice`], otherwise none.
    pub options: Option<Vec<String>>,
    /// The right answer.
    pub answer: Answer,
    /// Why it is right, to be shown after marking.
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

/// The kind of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Difficulty {
    /// What the text is mainly about.
    Easy,
    /// A mixture.
    Medium,
    /// Details, with options that are close to each other.
    Hard,
}

/// The name belongs to no value of the enum that it was parsed as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not one of {allowed}")]
pub struct UnknownName {
    value: String,
    allowed: &'static str,
}

/// Spells an enum's values, in both directions.
macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),+ }) => {
        impl $type {
            /// Its name, as in JSON.
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

names!(QuestionKind {
    MultipleChoice = "MULTIPLE_CHOICE",
    TrueFalse = "TRUE_FALSE",
    ShortAnswer = "SHORT_ANSWER"
});
names!(Difficulty {
    Easy = "EASY",
    Medium = "MEDIUM",
    Hard = "HARD"
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_difficulties_are_spelled_as_in_json() {
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
