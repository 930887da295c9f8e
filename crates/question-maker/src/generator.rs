//! The trait of every generator, and what it is asked for.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{Difficulty, GeneratedQuestion, GenerationError, QuestionKind};

/// What is wanted of a generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationRequest {
    /// The text of all sources, joined by blank lines.
    pub text: String,
    /// PDF files of some sources, in the order of their texts, for a generator that reads files.
    pub files: Vec<SourceFile>,
    /// The kind of every question in the set.
    pub kind: QuestionKind,
    /// How hard the questions should be.
    pub difficulty: Difficulty,
    /// How many questions; never fewer come back without an error.
    pub count: usize,
    /// A deterministic generator answers the same request with the same questions.
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

/// Makes questions from text.
#[async_trait]
pub trait QuestionGenerator: Send + Sync {
    /// How many bytes of PDF files it reads beside their text: none by default.
    fn files_up_to(&self) -> u64 {
        0
    }

    /// Makes exactly `request.count` questions, or says why that cannot be.
    ///
    /// # Errors
    /// [`GenerationError::Permanent`] when the request can never succeed,
    /// [`GenerationError::Transient`] when another attempt may succeed, also after `cancel`,
    /// [`GenerationError::PutOff`] when nothing was tried and the same attempt should go on later.
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError>;
}
