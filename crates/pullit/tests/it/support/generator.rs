//! A generator that does what a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use question_maker::{
    Answer, GeneratedQuestion, GenerationError, GenerationRequest, QuestionGenerator, QuestionKind,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::BOUND;

/// A generator that does what the test says: it makes dull but valid questions, unless it is held or has failures to give.
///
/// The right answer of question `n` (from 1) is `정답 n`; of a TRUE_FALSE question it is true when `n` is odd.
#[derive(Debug)]
pub(crate) struct StubGenerator {
    failures: Mutex<VecDeque<GenerationError>>,
    requests: watch::Sender<Vec<GenerationRequest>>,
    open: watch::Sender<bool>,
}

impl StubGenerator {
    /// Makes questions at once.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            failures: Mutex::default(),
            requests: watch::Sender::default(),
            open: watch::Sender::new(true),
        })
    }

    /// From now on generations block, until [`StubGenerator::release`] or their cancellation.
    pub(crate) fn hold(&self) {
        self.open.send_replace(false);
    }

    /// Those that block go on.
    pub(crate) fn release(&self) {
        self.open.send_replace(true);
    }

    /// The next generation that goes on fails with this.
    pub(crate) fn fail_next(&self, error: GenerationError) {
        self.failures.lock().unwrap().push_back(error);
    }

    /// The next generation fails; another attempt may succeed.
    pub(crate) fn fail_once(&self) {
        self.fail_next(GenerationError::Transient {
            code: "GENERATOR_DOWN",
            message: "잠시 후 다시 시도합니다.".to_owned(),
            retry_after: None,
        });
    }

    /// The next generation fails for good.
    pub(crate) fn fail_for_good(&self) {
        self.fail_next(GenerationError::Permanent {
            code: "NOT_ENOUGH_MATERIAL",
            message: "자료가 부족합니다.".to_owned(),
        });
    }

    /// How many generations have begun.
    pub(crate) fn calls(&self) -> usize {
        self.requests.borrow().len()
    }

    /// What was asked, in order.
    pub(crate) fn requests(&self) -> Vec<GenerationRequest> {
        self.requests.borrow().clone()
    }

    /// Waits until so many generations have begun.
    ///
    /// # Panics
    /// When they do not begin in time.
    pub(crate) async fn called(&self, times: usize) {
        let mut requests = self.requests.subscribe();
        let wait = requests.wait_for(|requests| requests.len() >= times);
        let waited = tokio::time::timeout(BOUND, wait)
            .await
            .map(|found| found.is_ok());
        assert_eq!(waited, Ok(true), "generation {times} has not begun");
    }
}

#[async_trait]
impl QuestionGenerator for StubGenerator {
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        let mut open = self.open.subscribe();
        self.requests
            .send_modify(|requests| requests.push(request.clone()));
        tokio::select! {
            _ = open.wait_for(|open| *open) => {}
            () = cancel.cancelled() => return Err(GenerationError::Transient {
                code: "CANCELLED",
                message: "중단되었습니다.".to_owned(),
                retry_after: None,
            }),
        }
        if let Some(failure) = self.failures.lock().unwrap().pop_front() {
            return Err(failure);
        }
        Ok((1..=request.count)
            .map(|n| question(request.kind, n))
            .collect())
    }
}

fn question(kind: QuestionKind, n: usize) -> GeneratedQuestion {
    let right = format!("정답 {n}");
    let (options, answer) = match kind {
        QuestionKind::MultipleChoice => {
            let options = vec![
                "보기 가".to_owned(),
                "보기 나".to_owned(),
                right.clone(),
                "보기 라".to_owned(),
            ];
            (Some(options), Answer::Text(right))
        }
        QuestionKind::TrueFalse => (None, Answer::Boolean(n % 2 == 1)),
        QuestionKind::ShortAnswer => (None, Answer::Text(right)),
    };
    GeneratedQuestion {
        text: format!("{n}번 문제"),
        options,
        answer,
        explanation: format!("{n}번 해설"),
    }
}
