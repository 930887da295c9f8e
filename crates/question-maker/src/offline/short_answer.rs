//! A word, a name or a number to be written.

use super::{
    candidate::Candidate,
    cloze, definition,
    document::Document,
    wording::{self, Task},
};
use crate::{Answer, GeneratedQuestion};

/// What a learner can be expected to write without a slip.
const LONGEST_ANSWER: usize = 30;

/// Writes the question; none when the text does not bear it.
pub(super) fn write(document: &Document, candidate: Candidate) -> Option<GeneratedQuestion> {
    let sentence = &document.sentences[candidate.sentence];
    let mention = &sentence.mentions[candidate.mention];
    let fact = document.fact(mention);
    if fact.surface.chars().count() > LONGEST_ANSWER {
        return None;
    }
    let (task, body) = match definition::description(document, sentence, mention) {
        Some(body) => (Task::WriteForDescription, body),
        None => (
            Task::WriteForBlank,
            cloze::blanked(document, sentence, mention)?,
        ),
    };
    let text = wording::question(task, fact.kind, sentence.language, &body);
    if cloze::gives_away(&text, &fact.comparable, sentence.language) {
        return None;
    }
    Some(GeneratedQuestion {
        text,
        options: None,
        explanation: wording::because(&fact.surface, sentence),
        answer: Answer::Text(fact.surface.clone()),
    })
}
