//! The generator that needs nothing but the text: no network, no dictionary, no model.
//!
//! The same request always gives the same questions, on every machine. A text passes these steps:
//! [`lines`] finds the prose and [`sentences`] splits it. [`statements`] selects what stands alone.
//! [`facts`] finds what can be asked about, and [`document`] joins all of it. [`candidate`] weighs what to ask,
//! and [`selection`] chooses. [`multiple_choice`], [`true_false`] and [`short_answer`] write.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use self::{
    candidate::Candidate, dice::Dice, distractor::Likeness, document::Document,
    selection::Selection,
};
use crate::{
    GeneratedQuestion, GenerationError, GenerationRequest, QuestionGenerator, QuestionKind,
    validate,
};

mod candidate;
mod cloze;
mod definition;
mod dice;
mod distractor;
mod document;
mod facts;
mod josa;
mod language;
mod lines;
mod markup;
mod multiple_choice;
mod score;
mod selection;
mod sentences;
mod short_answer;
mod sort;
mod statements;
#[cfg(test)]
mod tests;
mod true_false;
mod word_list;
mod wording;
mod words;

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
        // A caller that stops waiting stops the thread, too.
        let cancel = cancel.child_token();
        let _left = cancel.clone().drop_guard();
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
    request: &GenerationRequest,
    cancel: &CancellationToken,
) -> Result<Vec<GeneratedQuestion>, GenerationError> {
    let document = Document::read(&request.text, cancel)?;
    if document.sentences.is_empty() {
        return Err(GenerationError::Permanent {
            code: "TEXT_TOO_SHORT",
            message: "자료에 문제로 만들 만한 문장이 없습니다. 완전한 문장으로 된 글이 필요합니다."
                .to_owned(),
        });
    }
    let mut dice = Dice::new(request.seed);
    let candidates = candidate::all(&document, request.kind, request.difficulty, &mut dice);
    let mut selection = Selection::new(&document, request.count);
    match request.kind {
        QuestionKind::MultipleChoice => {
            for likeness in [Likeness::Same, Likeness::Near] {
                selection.fill(&candidates, cancel, |candidate| {
                    let difficulty = request.difficulty;
                    multiple_choice::write(&document, candidate, likeness, difficulty, &mut dice)
                })?;
            }
        }
        QuestionKind::ShortAnswer => selection.fill(&candidates, cancel, |candidate| {
            short_answer::write(&document, candidate)
        })?,
        QuestionKind::TrueFalse => judge(
            request,
            &document,
            &candidates,
            &mut selection,
            &mut dice,
            cancel,
        )?,
    }
    let mut questions = selection.finish();
    if questions.len() < request.count {
        return Err(not_enough(questions.len(), request.count));
    }
    for (question, position) in questions.iter_mut().zip(dice.positions(request.count)) {
        multiple_choice::place(question, position);
    }
    validate(request, &questions)?;
    Ok(questions)
}

/// Half of the statements false, as far as the text has facts to swap; at least a quarter of them.
fn judge(
    request: &GenerationRequest,
    document: &Document,
    candidates: &[Candidate],
    selection: &mut Selection<'_>,
    dice: &mut Dice,
    cancel: &CancellationToken,
) -> Result<(), GenerationError> {
    let wanted = request.count / 2 + request.count % 2 * dice.below(2);
    let mut searches = true_false::Searches::new();
    let (mut falsehoods, mut truths) = (wanted, request.count - wanted);
    selection.fill(candidates, cancel, |candidate| {
        let lie = dice.below(falsehoods + truths) < falsehoods;
        let lied = (lie || truths == 0)
            .then(|| {
                true_false::write_false(
                    document,
                    candidate,
                    request.difficulty,
                    dice,
                    &mut searches,
                )
            })
            .flatten();
        if lied.is_some() {
            falsehoods = falsehoods.saturating_sub(1);
            return lied;
        }
        truths = truths.checked_sub(1)?;
        Some(true_false::write_true(document, candidate))
    })?;
    let written = wanted - falsehoods;
    selection.fill(candidates, cancel, |candidate| {
        Some(true_false::write_true(document, candidate))
    })?;
    if written * 4 + 3 < request.count {
        let possible = (written * 4).max(1).min(selection.len());
        return Err(not_enough(possible, request.count));
    }
    Ok(())
}

fn not_enough(possible: usize, wanted: usize) -> GenerationError {
    let message = if possible == 0 {
        "자료의 글이 너무 짧거나 물을 만한 내용이 부족하여 문제를 만들 수 없습니다.".to_owned()
    } else {
        format!(
            "요청한 문제는 {wanted}개이지만 이 자료로는 {possible}개까지 만들 수 있습니다. 문제 수를 줄이거나 자료를 더해 주세요."
        )
    };
    GenerationError::Permanent {
        code: "NOT_ENOUGH_MATERIAL",
        message,
    }
}

/// What `work` comes to; none when it panics. An odd text costs what stumbles over it, and nothing else.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}

/// # Errors
/// When `cancel` was triggered.
fn check(cancel: &CancellationToken) -> Result<(), GenerationError> {
    if cancel.is_cancelled() {
        return Err(cancelled());
    }
    Ok(())
}

fn cancelled() -> GenerationError {
    GenerationError::Transient {
        code: "CANCELLED",
        message: "문제 만들기가 중단되었습니다.".to_owned(),
        retry_after: None,
    }
}
