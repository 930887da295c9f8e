//! Structured text in, finished questions out.
//!
//! Study material becomes multiple-choice questions, statements to judge and short answers, in Korean and
//! in English. The text is plain prose: one paragraph a line, an empty line between paragraphs.
//!
//! [`OfflineGenerator`] needs nothing but the text: no network, no dictionary, no model. The same
//! request gives the same questions on every machine.
//!
//! ```
//! use question_maker::{
//!     Difficulty, GenerationError, GenerationRequest, OfflineGenerator, QuestionGenerator, QuestionKind,
//! };
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), GenerationError> {
//! let request = GenerationRequest {
//!     text: "The nucleus of the cell was named by Robert Brown in 1831.\n\n\
//!            Rudolf Virchow wrote in 1855 that every cell comes from another cell."
//!         .to_owned(),
//!     files: Vec::new(),
//!     kind: QuestionKind::TrueFalse,
//!     difficulty: Difficulty::Easy,
//!     count: 2,
//!     seed: 1,
//! };
//! let questions = OfflineGenerator
//!     .generate(&request, &CancellationToken::new())
//!     .await?;
//! assert_eq!(questions.len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! Other generators, such as one that asks a language model, implement [`QuestionGenerator`].
//! [`validate`] checks what they return: the number of questions, their kind, their options.
//! Reasons for the person who asked are in Korean, with a stable code beside each.
//!
//! The feature `utoipa` derives OpenAPI schemas for the enums.

mod error;
mod generator;
mod offline;
mod question;
mod validation;

pub use error::GenerationError;
pub use generator::{GenerationRequest, QuestionGenerator, SourceFile};
pub use offline::OfflineGenerator;
pub use question::{Answer, Difficulty, GeneratedQuestion, QuestionKind, UnknownName};
pub use validation::validate;
