//! Questions from a language model: [`OpenAi`] (chat completions, and whoever speaks the same) or [`Gemini`].
//!
//! A [`Model`] answers a [`Prompt`] with JSON of a schema. Around it stand the manners of [`guard`] (rate limit, circuit breaker, what is
//! asked again), and [`fault`] decides what is permanent. Neither the material nor an answer nor the key is ever logged.

mod answer;
mod breaker;
mod fault;
mod gemini;
mod guard;
mod http;
mod openai;
mod prompt;
mod rate;
mod retry_after;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use question_maker::{GeneratedQuestion, GenerationError, GenerationRequest, QuestionGenerator};
use reqwest::Url;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use guard::Guarded;

pub use fault::{Fault, Reason};
pub use gemini::Gemini;
pub use http::ClientError;
pub use openai::OpenAi;

/// How a model is reached, and its bounds.
#[derive(Clone)]
pub struct ModelOptions {
    /// The service, up to and without `/chat/completions` or `/models`.
    pub url: Url,
    /// Its key; empty where it needs none.
    pub key: String,
    /// The model's name.
    pub model: String,
    /// Longest time of one request.
    pub timeout: Duration,
    /// Most tokens of an answer, those that the model thinks with included.
    pub max_output_tokens: u32,
}

/// What a model is asked.
#[derive(Clone, Debug)]
pub struct Prompt<'a> {
    /// What it is and how it works, whatever the material.
    pub instructions: String,
    /// What is wanted of this material.
    pub wish: String,
    /// JSON schema of the answer.
    pub schema: Value,
    /// What the questions are made from.
    pub material: Vec<Part<'a>>,
}

/// A piece of material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text.
    Text(&'a str),
    /// A PDF file.
    Pdf(&'a Bytes),
}

/// A language model behind its service's HTTP interface.
#[async_trait]
pub trait Model: Send + Sync {
    /// Its name in logs and measurements.
    fn provider(&self) -> &'static str;

    /// Bytes of PDF files that one request may carry, if it carries nothing else.
    fn files_up_to(&self) -> u64 {
        0
    }

    /// Asks once. The answer is the model's own text, unread.
    ///
    /// # Errors
    /// Whatever kept it from a whole answer.
    async fn ask(&self, prompt: &Prompt<'_>) -> Result<String, Fault>;
}

/// Makes questions with a language model.
pub struct ModelGenerator<M> {
    model: Guarded<M>,
    max_chars: usize,
}

impl<M: Model> ModelGenerator<M> {
    /// At most `requests_per_minute` (0: no limit), each with at most `max_chars` characters of text; longer material is refused.
    pub fn new(model: M, requests_per_minute: u32, max_chars: usize) -> Self {
        Self {
            model: Guarded::new(model, requests_per_minute),
            max_chars,
        }
    }

    async fn make(
        &self,
        request: &GenerationRequest,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        let prompt = prompt::prompt(request);
        let chars: usize = prompt.material.iter().map(Part::chars).sum();
        if chars > self.max_chars {
            return Err(GenerationError::Permanent {
                code: "SOURCES_TOO_LONG",
                message: fault::TOO_LONG.to_owned(),
            });
        }
        let answer = self.model.ask(&prompt).await?;
        Ok(answer::read(request, &answer)?)
    }
}

impl Part<'_> {
    fn chars(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Pdf(_) => 0,
        }
    }
}

#[async_trait]
impl<M: Model> QuestionGenerator for ModelGenerator<M> {
    fn files_up_to(&self) -> u64 {
        // The longest text beside them: three bytes a character in Korean, where a file's byte takes four thirds.
        let text = self.max_chars as u64 * 9 / 4;
        self.model.model().files_up_to().saturating_sub(text)
    }

    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        let made = cancel.run_until_cancelled(self.make(request)).await;
        made.unwrap_or_else(|| {
            Err(GenerationError::Transient {
                code: "CANCELLED",
                message: "문제 생성이 중단되었습니다.".to_owned(),
                retry_after: None,
            })
        })
    }
}
