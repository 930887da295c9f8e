//! Descriptions whose subject is asked for.

use super::{
    cloze::{capitalised, gives_away},
    document::{Document, Mention, Sentence},
};

/// What the sentence says about the subject it defines, without naming it.
pub(super) fn description(
    document: &Document,
    sentence: &Sentence,
    mention: &Mention,
) -> Option<String> {
    let definition = sentence.definition.as_ref()?;
    if definition.subject != mention.found.answer {
        return None;
    }
    let text = capitalised(
        &sentence.text[definition.predicate.clone()],
        sentence.language,
    );
    let long_enough = text.split(' ').count() >= 4;
    let answer = &document.fact(mention).comparable;
    (long_enough && !gives_away(&text, answer, sentence.language)).then_some(text)
}
