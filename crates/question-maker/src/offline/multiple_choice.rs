//! One right option among four.

use super::{
    candidate::Candidate,
    cloze, definition,
    dice::Dice,
    distractor::{self, Likeness},
    document::Document,
    wording::{self, Task},
};
use crate::{Answer, Difficulty, GeneratedQuestion};

/// Writes the question, the right option at the first place; none when the text does not bear it.
pub(super) fn write(
    document: &Document,
    candidate: Candidate,
    likeness: Likeness,
    difficulty: Difficulty,
    dice: &mut Dice,
) -> Option<GeneratedQuestion> {
    let sentence = &document.sentences[candidate.sentence];
    let mention = &sentence.mentions[candidate.mention];
    let (task, body) = match definition::description(document, sentence, mention) {
        Some(body) => (Task::ChooseForDescription, body),
        None => (
            Task::ChooseForBlank,
            cloze::blanked(document, sentence, mention)?,
        ),
    };
    let fact = document.fact(mention);
    let text = wording::question(task, fact.kind, sentence.language, &body);
    if cloze::gives_away(&text, &fact.comparable, sentence.language) {
        return None;
    }
    let others = distractor::three(document, sentence, mention, likeness, difficulty, dice)?;
    let mut options = vec![fact.surface.clone()];
    options.extend(others.map(|other| document.facts[other].surface.clone()));
    Some(GeneratedQuestion {
        text,
        options: Some(options),
        explanation: wording::because(&fact.surface, sentence),
        answer: Answer::Text(fact.surface.clone()),
    })
}

/// Moves the right option, which stands first, to `position`.
pub(super) fn place(question: &mut GeneratedQuestion, position: usize) {
    if let Some(options) = &mut question.options
        && position < options.len()
    {
        options.swap(0, position);
    }
}
