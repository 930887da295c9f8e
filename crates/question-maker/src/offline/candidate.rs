//! What could be asked, and how much it is worth at a difficulty.

use super::{
    dice::Dice,
    distractor,
    document::{Document, Mention, Sentence},
    facts::{FactKind, Part},
};
use crate::{Difficulty, QuestionKind};

/// One possible question: a mention in a sentence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) sentence: usize,
    pub(super) mention: usize,
    /// What it asks for; too many of one class make a dull set.
    pub(super) class: Class,
    /// Higher is asked first.
    pub(super) value: f64,
}

/// What a question is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    Definition,
    /// A term that the text uses often.
    KeyTerm,
    /// A term that it mentions once or twice.
    RareTerm,
    Name,
    Year,
    Number,
}

impl Class {
    fn of(document: &Document, mention: &Mention) -> Self {
        let fact = document.fact(mention);
        match fact.kind {
            FactKind::Year | FactKind::Date => Self::Year,
            FactKind::Number => Self::Number,
            _ if mention.found.part == Part::Defined => Self::Definition,
            FactKind::Person | FactKind::Place | FactKind::Name | FactKind::Title => Self::Name,
            FactKind::Term | FactKind::Acronym if fact.sentences.len() >= 3 => Self::KeyTerm,
            FactKind::Term | FactKind::Acronym => Self::RareTerm,
        }
    }

    /// How much a difficulty wants it.
    fn worth(self, difficulty: Difficulty) -> f64 {
        match (difficulty, self) {
            (Difficulty::Easy, Self::Definition) => 3.0,
            (Difficulty::Easy, Self::KeyTerm) => 2.4,
            (Difficulty::Easy, Self::Name) => 1.9,
            (Difficulty::Easy, Self::RareTerm) => 1.2,
            (Difficulty::Easy, Self::Year) => 0.6,
            (Difficulty::Easy, Self::Number) => 0.4,
            (Difficulty::Medium, Self::Name | Self::Definition) => 2.3,
            (Difficulty::Medium, Self::KeyTerm | Self::Year) => 2.1,
            (Difficulty::Medium, Self::RareTerm) => 1.7,
            (Difficulty::Medium, Self::Number) => 1.8,
            (Difficulty::Hard, Self::Number) => 3.0,
            (Difficulty::Hard, Self::Year) => 2.9,
            (Difficulty::Hard, Self::Name) => 2.5,
            (Difficulty::Hard, Self::RareTerm) => 2.2,
            (Difficulty::Hard, Self::KeyTerm) => 1.2,
            (Difficulty::Hard, Self::Definition) => 1.2,
        }
    }
}

/// Sentences beyond this many, the least informative ones, are not asked about.
const MOST_SENTENCES: usize = 4000;

/// Everything that could be asked, the most wanted first.
pub(super) fn all(
    document: &Document,
    kind: QuestionKind,
    difficulty: Difficulty,
    dice: &mut Dice,
) -> Vec<Candidate> {
    let mut order: Vec<usize> = (0..document.sentences.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&document.sentences[*a], &document.sentences[*b]);
        b.score.total_cmp(&a.score)
    });
    order.truncate(MOST_SENTENCES);
    let mut candidates = Vec::new();
    for index in order {
        let sentence = &document.sentences[index];
        for (mention_index, mention) in sentence.mentions.iter().enumerate() {
            let luck = dice.fraction() * 0.4;
            let Some(fitness) = fitness(document, sentence, mention, kind) else {
                continue;
            };
            let class = Class::of(document, mention);
            let informative = match difficulty {
                Difficulty::Easy => 1.2 * sentence.score,
                Difficulty::Medium => 0.8 * sentence.score,
                Difficulty::Hard => 0.3 * sentence.score,
            };
            candidates.push(Candidate {
                sentence: index,
                mention: mention_index,
                class,
                value: class.worth(difficulty) + fitness + informative + luck,
            });
        }
    }
    candidates.sort_by(|a, b| {
        b.value
            .total_cmp(&a.value)
            .then((a.sentence, a.mention).cmp(&(b.sentence, b.mention)))
    });
    candidates
}

/// How well a mention suits a kind of question; none when it does not at all.
fn fitness(
    document: &Document,
    sentence: &Sentence,
    mention: &Mention,
    kind: QuestionKind,
) -> Option<f64> {
    // A sentence that says little fits many answers.
    let context = sentence.content.len().saturating_sub(1);
    if context < 3 {
        return None;
    }
    let fact = document.fact(mention);
    let term = matches!(fact.kind, FactKind::Term | FactKind::Acronym);
    let short = fact.surface.chars().count() < 2 && term;
    let before = &sentence.text[..mention.found.answer.start];
    let owned = before.ends_with("'s ") || before.ends_with("’s ");
    // Halley's ____: half a name.
    if short || (term && owned) {
        return None;
    }
    let specific = if context < 5 { -0.4 } else { 0.0 } + if sentence.leans { -1.0 } else { 0.0 };
    let part = match mention.found.part {
        Part::Called => 0.8,
        Part::Defined => 0.4,
        Part::Topic => 0.2,
        Part::Listed => -0.8,
        Part::Other if term && kind == QuestionKind::TrueFalse => -1.4,
        Part::Other if term => -0.9,
        Part::Other => 0.0,
    };
    let determined = distractor::is_determined(document, mention);
    match kind {
        QuestionKind::ShortAnswer
            if mention.found.part == Part::Listed && !is_number(fact.kind) =>
        {
            None
        }
        QuestionKind::ShortAnswer if !determined => Some(part + specific - 0.8),
        _ => Some(part + specific),
    }
}

fn is_number(kind: FactKind) -> bool {
    matches!(kind, FactKind::Year | FactKind::Number | FactKind::Date)
}
