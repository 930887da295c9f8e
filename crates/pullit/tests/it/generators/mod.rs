//! Questions from a language model, whose service a stand-in plays.

mod answers;
mod gemini;
mod openai;
mod service;
mod stand_in;
mod worker;

use std::time::Duration;

use pullit::question_set::generator::{Gemini, Model, ModelGenerator, ModelOptions, OpenAi};
use question_maker::{
    Difficulty, GeneratedQuestion, GenerationError, GenerationRequest, QuestionGenerator,
    QuestionKind, validate,
};
use stand_in::StandIn;
use tokio_util::sync::CancellationToken;

const KEY: &str = "sk-nobody-may-read-this";
const TEXT: &str = "세종대왕은 1443년에 훈민정음을 만들었다. 집현전 학자들이 그를 도왔다.";

fn options(service: &StandIn) -> ModelOptions {
    ModelOptions {
        url: service.url.parse().unwrap(),
        key: KEY.to_owned(),
        model: "a-model".to_owned(),
        timeout: Duration::from_secs(20),
        max_output_tokens: 9_000,
    }
}

fn openai(service: &StandIn) -> ModelGenerator<OpenAi> {
    ModelGenerator::new(OpenAi::new(options(service)).unwrap(), 0, 1_000)
}

fn gemini(service: &StandIn) -> ModelGenerator<Gemini> {
    ModelGenerator::new(Gemini::new(options(service)).unwrap(), 0, 1_000)
}

fn request(kind: QuestionKind, count: usize) -> GenerationRequest {
    GenerationRequest {
        text: TEXT.to_owned(),
        files: Vec::new(),
        kind,
        difficulty: Difficulty::Medium,
        count,
        seed: 3,
    }
}

/// What the worker would get: the questions, checked.
async fn made<M: Model>(
    generator: &ModelGenerator<M>,
    request: &GenerationRequest,
) -> Result<Vec<GeneratedQuestion>, GenerationError> {
    let cancel = CancellationToken::new();
    let questions = generator.generate(request, &cancel).await?;
    validate(request, &questions)?;
    Ok(questions)
}
