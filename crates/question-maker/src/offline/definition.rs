//! Descriptions whose subject is asked for.

use super::{
    cloze::{capitalised, gives_away},
    document::{Document, Mention, Sentence},
    language::Language,
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
    if two_statements(
        &sentence.text[definition.predicate.clone()],
        sentence.language,
    ) {
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

/// "The smallest planet and completes an orbit in 88 days": what follows the noun goes on without it.
fn two_statements(predicate: &str, language: Language) -> bool {
    let relative = [" that ", " which ", " who ", " whose "];
    let noun_end = relative
        .iter()
        .filter_map(|word| predicate.find(word))
        .min();
    let noun = &predicate[..noun_end.unwrap_or(predicate.len())];
    language == Language::English && noun.contains(" and ")
}
