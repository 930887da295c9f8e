//! Wrong options: facts of the same kind and document that do not make the sentence true as well.

use super::{
    dice::Dice,
    document::{Document, Fact, Mention, Sentence},
    facts::{FactKind, Part, english},
    language::Language,
    words::shared,
};
use crate::Difficulty;

/// How much alike the options of a question have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// All are names, places, defined terms … of one sort.
    Same,
    /// They are of one kind; for texts that have no better ones.
    Near,
}

/// Three wrong options for a mention; none when the document has too few that are alike.
pub(super) fn three(
    document: &Document,
    sentence: &Sentence,
    mention: &Mention,
    likeness: Likeness,
    difficulty: Difficulty,
    dice: &mut Dice,
) -> Option<[usize; 3]> {
    let mut rivals = rivals(document, sentence, mention);
    if likeness == Likeness::Same {
        let fact = document.fact(mention);
        rivals.retain(|(other, _)| is_alike(fact, &document.facts[*other]));
    }
    if rivals.len() < 3 {
        return None;
    }
    // The best first; how far down to look is what difficulty is about.
    let (reach, closest_first) = match difficulty {
        Difficulty::Hard => (4, true),
        Difficulty::Medium => (8, true),
        Difficulty::Easy => (8, false),
    };
    rivals.truncate(reach.max(3));
    let mut order: Vec<usize> = rivals.iter().map(|(fact, _)| *fact).collect();
    if closest_first {
        dice.shuffle(&mut order);
    } else {
        order.reverse();
        let far = order.len().min(6);
        dice.shuffle(&mut order[..far]);
    }
    let mut chosen: Vec<usize> = Vec::new();
    for fact in order {
        let apart = chosen.iter().all(|other| {
            let (a, b) = (
                &document.facts[fact].comparable,
                &document.facts[*other].comparable,
            );
            is_numeric(&document.facts[fact]) || !(a.contains(b.as_str()) || b.contains(a.as_str()))
        });
        let distinct = chosen
            .iter()
            .all(|other| document.facts[fact].comparable != document.facts[*other].comparable);
        if apart && distinct {
            chosen.push(fact);
            if let [a, b, c] = chosen[..] {
                return Some([a, b, c]);
            }
        }
    }
    None
}

/// More rivals than this do not make a question better.
const ENOUGH: usize = 80;

/// The facts that could stand in the place of a mention and make the sentence wrong, the most
/// similar first.
pub(super) fn rivals(
    document: &Document,
    sentence: &Sentence,
    mention: &Mention,
) -> Vec<(usize, f64)> {
    let fact = document.fact(mention);
    let kinds: &[&[FactKind]] = match fact.kind {
        FactKind::Acronym => &[&[FactKind::Acronym], &[FactKind::Term]],
        FactKind::Term => &[&[FactKind::Term], &[FactKind::Acronym]],
        FactKind::Name => &[&[FactKind::Name]],
        FactKind::Place => &[&[FactKind::Place]],
        FactKind::Person => &[&[FactKind::Person]],
        FactKind::Title => &[&[FactKind::Title]],
        FactKind::Year => &[&[FactKind::Year]],
        FactKind::Date => &[&[FactKind::Date]],
        FactKind::Number => &[&[FactKind::Number]],
    };
    let mut rivals: Vec<(usize, f64)> = Vec::new();
    for kinds in kinds {
        for kind in *kinds {
            for &index in document.of_kind(*kind, sentence.language) {
                let other = &document.facts[index];
                if index != mention.fact && fits(document, sentence, mention, fact, other) {
                    rivals.push((index, similarity(fact, other)));
                }
                if rivals.len() == ENOUGH {
                    break;
                }
            }
        }
        if rivals.len() >= 3 {
            break;
        }
    }
    rivals.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    rivals.dedup_by_key(|(index, _)| document.facts[*index].comparable.clone());
    rivals
}

fn fits(
    document: &Document,
    sentence: &Sentence,
    mention: &Mention,
    fact: &Fact,
    other: &Fact,
) -> bool {
    if is_numeric(fact) {
        let in_sentence = sentence
            .mentions
            .iter()
            .any(|m| document.fact(m).comparable == other.comparable);
        return !in_sentence
            && fact.comparable != other.comparable
            && numbers_compare(fact, other)
            && !makes_it_true(document, sentence, mention, other, 12);
    }
    let related = fact.comparable.contains(&other.comparable)
        || other.comparable.contains(&fact.comparable)
        || sentence.comparable.contains(&other.comparable);
    !related
        && length_compares(&fact.surface, &other.surface)
        && grammar_compares(fact, other, sentence.language)
        && !makes_it_true(document, sentence, mention, other, 12)
}

/// Whether one of the first `most` sentences about `other` says of it what this sentence says of
/// the mention.
pub(super) fn makes_it_true(
    document: &Document,
    sentence: &Sentence,
    mention: &Mention,
    other: &Fact,
    most: usize,
) -> bool {
    let own = document.fact(mention);
    other.sentences.iter().take(most).any(|index| {
        let elsewhere = &document.sentences[*index];
        let (common, total) = shared(&sentence.content, &elsewhere.content, &[]);
        // The answer itself may stand in both sentences.
        let bonus = usize::from(elsewhere.comparable.contains(&own.comparable));
        let common = common.saturating_sub(bonus);
        let total = total.saturating_sub(1).max(1);
        common * 100 >= total * 55 || (total >= 6 && common * 100 >= total * 45)
    })
}

fn length_compares(a: &str, b: &str) -> bool {
    let (a, b) = (a.chars().count(), b.chars().count());
    a.max(b) <= a.min(b) * 3 + 2
}

fn grammar_compares(fact: &Fact, other: &Fact, language: Language) -> bool {
    if language == Language::Korean {
        return fact.surface.is_ascii() == other.surface.is_ascii();
    }
    matches!(
        fact.kind,
        FactKind::Person | FactKind::Place | FactKind::Name
    ) || english::is_plural(&fact.surface) == english::is_plural(&other.surface)
}

/// A number as a number: `17만` is 170,000.
fn value(fact: &Fact) -> Option<f64> {
    let text = fact.surface.replace(',', "");
    let (digits, scale) = match text.chars().next_back()? {
        '만' => (text.trim_end_matches('만'), 1e4),
        '억' => (text.trim_end_matches('억'), 1e8),
        '천' => (text.trim_end_matches('천'), 1e3),
        '조' => (text.trim_end_matches('조'), 1e12),
        _ => (text.as_str(), 1.0),
    };
    digits.parse::<f64>().ok().map(|number| number * scale)
}

fn is_numeric(fact: &Fact) -> bool {
    matches!(
        fact.kind,
        FactKind::Year | FactKind::Number | FactKind::Date
    )
}

/// Units whose numbers only make sense among their own.
const STRICT_UNITS: &[&str] = &[
    "월", "일", "시", "분", "세기", "년대", "번째", "차", "월 일", "절기",
];

fn numbers_compare(fact: &Fact, other: &Fact) -> bool {
    if fact.kind != FactKind::Number {
        return fact.unit == other.unit;
    }
    if fact.unit == other.unit {
        return true;
    }
    let strict = |unit: &str| STRICT_UNITS.contains(&unit);
    if strict(&fact.unit) || strict(&other.unit) {
        return false;
    }
    match (value(fact), value(other)) {
        (Some(a), Some(b)) => {
            let percent = fact.unit == "%" && b > 100.0;
            let same_look = fact.surface.contains('.') == other.surface.contains('.');
            same_look && !percent && a.max(b) <= a.min(b).max(1.0) * 12.0
        }
        // Numbers written as words.
        (None, None) => true,
        _ => false,
    }
}

/// Whether two facts are of one sort, and neither is a noun in passing.
pub(super) fn is_alike(fact: &Fact, other: &Fact) -> bool {
    // The Sun, the Principia: names with an article are no planets.
    let articles = fact.kind != FactKind::Name || fact.with_article == other.with_article;
    is_numeric(fact) || (fact.stands_out && other.stands_out && fact.sort == other.sort && articles)
}

fn similarity(fact: &Fact, other: &Fact) -> f64 {
    if let (Some(a), Some(b)) = (value(fact), value(other)) {
        let unit = if fact.unit == other.unit { 1.0 } else { 0.0 };
        return unit - (a.max(0.1) / b.max(0.1)).ln().abs();
    }
    let words = |text: &str| text.split(' ').count();
    let last_word = |text: &str| text.rsplit(' ').next().map(str::to_owned);
    let last_letter = |text: &str| text.chars().next_back();
    let difference = fact
        .surface
        .chars()
        .count()
        .abs_diff(other.surface.chars().count()) as f64;
    let mut similarity = -0.12 * difference;
    if fact.kind == other.kind {
        similarity += 1.0;
    }
    if fact.sort == other.sort {
        similarity += 1.0;
    }
    if fact.stands_out == other.stands_out {
        similarity += 1.5;
    }
    if words(&fact.surface) == words(&other.surface) {
        similarity += 0.5;
        if words(&fact.surface) > 1 && last_word(&fact.surface) == last_word(&other.surface) {
            similarity += 0.6;
        }
    }
    if fact.language == Language::Korean
        && last_letter(&fact.surface) == last_letter(&other.surface)
    {
        similarity += 0.4;
    }
    if fact.genus.is_some() == other.genus.is_some() {
        similarity += 1.5;
        if fact.genus.is_some() && fact.genus == other.genus {
            similarity += 0.8;
        }
    }
    if fact.with_article == other.with_article {
        similarity += 0.4;
    }
    let capital = |text: &str| text.starts_with(char::is_uppercase);
    if capital(&fact.surface) == capital(&other.surface) {
        similarity += 0.8;
    }
    similarity + 0.05 * (other.sentences.len().min(6) as f64)
}

/// Whether a mention is one whose place only one fact can take.
pub(super) fn is_determined(document: &Document, mention: &Mention) -> bool {
    mention.found.part != Part::Listed
        && (mention.found.part != Part::Other
            || !matches!(
                document.fact(mention).kind,
                FactKind::Term | FactKind::Acronym
            ))
}
