//! Statements of the text, and statements in which one fact took another's place.

use super::{
    candidate::Candidate,
    cloze,
    dice::Dice,
    distractor,
    document::{Document, Fact, Sentence},
    facts::FactKind,
    language::Language,
    wording::{self, Task},
};
use crate::{Answer, Difficulty, GeneratedQuestion, validation::comparable};

/// How many bytes of the text may be searched for statements that only seem false.
#[derive(Debug)]
pub(super) struct Searches(usize);

impl Searches {
    pub(super) fn new() -> Self {
        // A text of two million characters some three hundred times.
        Self(1_500_000_000)
    }

    /// Whether the text says this; when the bytes are used up, that cannot be ruled out.
    fn may_say(&mut self, document: &Document, statement: &str) -> bool {
        document.sentences.iter().any(|sentence| {
            let length = sentence.comparable.len();
            let Some(left) = self.0.checked_sub(length) else {
                return true;
            };
            self.0 = left;
            sentence.comparable.contains(statement)
        })
    }
}

/// The statement as the text has it.
pub(super) fn write_true(document: &Document, candidate: Candidate) -> GeneratedQuestion {
    let sentence = &document.sentences[candidate.sentence];
    let statement = cloze::capitalised(&sentence.text[sentence.start..], sentence.language);
    GeneratedQuestion {
        text: wording::question(Task::Judge, FactKind::Term, sentence.language, &statement),
        options: None,
        answer: Answer::Boolean(true),
        explanation: wording::because_true(sentence),
    }
}

/// The statement with one fact changed so that it is false by the text; none when no other fact
/// of the text fits.
pub(super) fn write_false(
    document: &Document,
    candidate: Candidate,
    difficulty: Difficulty,
    dice: &mut Dice,
    searches: &mut Searches,
) -> Option<GeneratedQuestion> {
    let sentence = &document.sentences[candidate.sentence];
    let mention = &sentence.mentions[candidate.mention];
    let fact = document.fact(mention);
    let mut rivals: Vec<usize> = distractor::rivals(document, sentence, mention)
        .into_iter()
        .map(|(other, _)| other)
        .filter(|other| may_replace(document, sentence, fact, &document.facts[*other]))
        .collect();
    let alike = |other: &usize| distractor::is_alike(fact, &document.facts[*other]);
    if rivals.iter().any(alike) {
        rivals.retain(alike);
    }
    let reach = match difficulty {
        Difficulty::Easy => 8,
        Difficulty::Medium => 5,
        Difficulty::Hard => 2,
    };
    rivals.truncate(reach);
    dice.shuffle(&mut rivals);
    rivals.into_iter().find_map(|other| {
        let other = &document.facts[other];
        let statement = cloze::swapped(sentence, mention, &other.surface)?;
        let known = comparable(&statement);
        let said = searches.may_say(document, &known)
            || distractor::makes_it_true(document, sentence, mention, other, usize::MAX);
        (!said).then(|| GeneratedQuestion {
            text: wording::question(Task::Judge, FactKind::Term, sentence.language, &statement),
            options: None,
            answer: Answer::Boolean(false),
            explanation: wording::because_false(&fact.surface, other, sentence),
        })
    })
}

fn may_replace(document: &Document, sentence: &Sentence, fact: &Fact, other: &Fact) -> bool {
    match fact.kind {
        FactKind::Year => keeps_order(document, sentence, fact, other),
        FactKind::Number => {
            fact.unit == other.unit || !matches!(fact.unit.as_str(), "" | "번째" | "차")
        }
        FactKind::Term | FactKind::Acronym | FactKind::Name
            if sentence.language == Language::English =>
        {
            fact.with_article == other.with_article
        }
        _ => true,
    }
}

/// In `from 1392 to 1910` the second year stays the later one.
fn keeps_order(document: &Document, sentence: &Sentence, fact: &Fact, other: &Fact) -> bool {
    sentence
        .mentions
        .iter()
        .map(|mention| document.fact(mention))
        .filter(|third| third.kind == FactKind::Year && third.comparable != fact.comparable)
        .all(|third| {
            third.comparable.cmp(&fact.comparable) == third.comparable.cmp(&other.comparable)
        })
}
