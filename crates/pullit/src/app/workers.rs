//! Step 5: the workers, which make questions and read documents.

use std::path::PathBuf;
use std::sync::Arc;

use super::BuildError;
use super::foundation::Foundation;
use super::resources::generator;
use super::rooms::DomainRooms;
use crate::platform::config::Config;
use crate::question_set::{QuestionGenerationWorker, WorkerOptions};
use crate::source::{ExtractionLoop, ExtractionOptions};
use document_text::{Extractor, Limits};
use question_maker::QuestionGenerator;

/// Makes questions, with the configured generator unless another is given.
pub(super) fn generation(
    base: &Foundation,
    rooms: &DomainRooms,
    instead: Option<Arc<dyn QuestionGenerator>>,
) -> Result<QuestionGenerationWorker, BuildError> {
    let generator = match instead {
        Some(generator) => generator,
        None => generator(&base.config.generator)?,
    };
    let options = WorkerOptions {
        concurrency: base.config.worker.concurrency,
        timeout: base.config.worker.timeout.duration(),
        lease: base.config.worker.lease.duration(),
    };
    Ok(QuestionGenerationWorker::new(
        rooms.question_sets.clone(),
        Arc::clone(&base.broker),
        generator,
        options,
    ))
}

/// Reads documents, each in a child process of `program`.
pub(super) fn extraction(
    base: &Foundation,
    rooms: &DomainRooms,
    program: PathBuf,
) -> ExtractionLoop {
    let extractor = Extractor::new(program, extraction_limits(&base.config));
    ExtractionLoop::new(
        Arc::clone(&rooms.sources),
        Arc::new(extractor),
        ExtractionOptions::from(&*base.config),
    )
}

fn extraction_limits(config: &Config) -> Limits {
    let wall = config.upload.extraction_timeout.duration();
    Limits {
        max_pages: config.upload.max_pages,
        max_chars: config.upload.max_chars,
        memory_bytes: config.upload.memory_bytes,
        cpu_seconds: wall.as_secs().max(1),
        wall,
    }
}
