//! The offline generator, which can be told to hang.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use question_maker::{
    GeneratedQuestion, GenerationError, GenerationRequest, OfflineGenerator, QuestionGenerator,
};

/// Makes questions as [`OfflineGenerator`] does, except for an attempt that it was told to stall.
#[derive(Default)]
pub(super) struct StallingGenerator {
    next: Mutex<Option<Stall>>,
}

/// An attempt that hangs, from both sides: the generator's and the script's.
#[derive(Clone, Default)]
pub(super) struct Stall {
    reached: CancellationToken,
    released: CancellationToken,
    ended: CancellationToken,
}

impl StallingGenerator {
    /// The next attempt hangs until it is released or cancelled. Those after it do not.
    pub(super) fn stall_next(&self) -> Stall {
        let stall = Stall::default();
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(stall.clone());
        stall
    }
}

impl Stall {
    /// Until the attempt has begun, and hangs.
    pub(super) async fn reached(&self) {
        self.reached.cancelled().await;
    }

    /// Lets the attempt make its questions after all; until it has.
    pub(super) async fn release(&self) {
        self.released.cancel();
        self.ended.cancelled().await;
    }
}

#[async_trait]
impl QuestionGenerator for StallingGenerator {
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        let stall = self
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(stall) = stall else {
            return OfflineGenerator.generate(request, cancel).await;
        };
        stall.reached.cancel();
        tokio::select! {
            () = stall.released.cancelled() => {}
            () = cancel.cancelled() => return Err(GenerationError::Transient {
                code: "CANCELLED",
                message: "문제 생성이 중단되었습니다.".to_owned(),
                retry_after: None,
            }),
        }
        let late = OfflineGenerator.generate(request, cancel).await;
        stall.ended.cancel();
        late
    }
}

/// As the service wants it, and still in the script's hand.
pub(super) fn shared(generator: &Arc<StallingGenerator>) -> Arc<dyn QuestionGenerator> {
    Arc::clone(generator) as Arc<dyn QuestionGenerator>
}
