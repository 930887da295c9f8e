//! Question sets: how they are asked for, generated, kept and cleaned up.

mod cleanup;
mod error;
pub mod events;
pub mod generator;
pub mod http;
mod lease;
mod material;
mod model;
mod quota;
mod result;
mod retry;
mod service;
mod store;
mod view;
mod worker;

pub use error::QuestionSetError;
pub use model::{MarkableQuestion, QuestionSet, SetStatus};
pub use question_maker::QuestionKind;
pub use quota::Quota;
pub use service::{QuestionSets, SetLimits};
pub use worker::{QuestionGenerationWorker, WorkerOptions};
