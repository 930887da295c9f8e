//! Proper names and what they name.

use std::ops::Range;

use super::{
    super::{FactKind, Found},
    Lexicon, Word, lists,
};

impl Lexicon {
    pub(super) fn defined_kind(
        &self,
        text: &str,
        words: &[Word],
        subject: &Range<usize>,
    ) -> FactKind {
        let name = &text[subject.clone()];
        if is_acronym(name) {
            return FactKind::Acronym;
        }
        let first = words
            .iter()
            .position(|w| w.range.start == subject.start)
            .unwrap_or(0);
        let inside: Vec<&Word> = words[first..]
            .iter()
            .take_while(|w| w.range.end <= subject.end)
            .collect();
        let capitals = inside
            .iter()
            .all(|w| w.capital || NAME_PARTICLES.contains(&w.lower.as_str()));
        let common = inside.iter().any(|w| self.common.contains(&w.lower));
        if capitals
            && inside.len() > 1
            && !common
            && !inside
                .iter()
                .any(|w| lists::is_no_person(&text[w.range.clone()]))
        {
            FactKind::Person
        } else {
            FactKind::Term
        }
    }

    /// A proper name that starts at `index`: where it ends, and its kind.
    pub(super) fn name_at(
        &self,
        text: &str,
        words: &[Word],
        index: usize,
    ) -> Option<(usize, FactKind)> {
        let word = |i: usize| &text[words[i].range.clone()];
        // IEEE 802.11: the number belongs to the name.
        let numbered = !words[index].stops
            && words
                .get(index + 1)
                .is_some_and(|next| next.lower.starts_with(|c: char| c.is_ascii_digit()));
        if numbered {
            return None;
        }
        if is_acronym(word(index)) {
            return Some((index + 1, FactKind::Acronym));
        }
        let starts = self.is_proper(words, index)
            || (index == 0
                && words[0].capital
                && !lists::is_function(&words[0].lower)
                && words.get(1).is_some_and(|w| {
                    !words[0].stops && (w.capital || NAME_PARTICLES.contains(&w.lower.as_str()))
                })
                && !self.common.contains(&words[0].lower));
        if !starts || lists::is_calendar(word(index)) || lists::is_no_person(word(index)) {
            return None;
        }
        let mut end = index + 1;
        while end < words.len() && !words[end - 1].stops {
            let initial = words[end].capital && !lists::is_function(&words[end].lower);
            let particle = NAME_PARTICLES.contains(&words[end].lower.as_str())
                && words
                    .get(end + 1)
                    .is_some_and(|w| w.capital && !words[end].stops);
            if !initial && !particle {
                break;
            }
            end += 1;
        }
        let full = end - index > 1;
        // Halley's Comet: the owner is half a name.
        if text[words[end - 1].range.end..].starts_with(['\'', '’']) {
            return None;
        }
        let organisation = (index..end).any(|i| lists::is_no_person(word(i)));
        let before = index
            .checked_sub(1)
            .map(|i| words[i].lower.as_str())
            .unwrap_or_default();
        let next = words
            .get(end)
            .filter(|_| !words[end - 1].stops)
            .map(|w| w.lower.as_str())
            .unwrap_or_default();
        // `the orbit of Uranus led …`: what an orbit did, Uranus did not do.
        let subject = !PREPOSITIONS.contains(&before);
        let acts = (index == 0 || before == "and")
            && full
            && !COMPASS.contains(&word(index))
            && ((next.ends_with("ed") && next.len() > 3) || next == "became");
        let kind = if organisation || before == "the" {
            FactKind::Name
        } else if (subject && lists::is_person_verb(next))
            || acts
            || (full
                && (index + 1..end - 1).any(|i| NAME_PARTICLES.contains(&words[i].lower.as_str())))
            || lists::is_role(before)
            || (full && before == "by")
        {
            FactKind::Person
        } else if matches!(before, "in" | "at" | "near" | "from" | "between") {
            FactKind::Place
        } else {
            FactKind::Name
        };
        if !full
            && kind == FactKind::Name
            && (next.is_empty() || !lists::is_function(next))
            && !words[end - 1].stops
        {
            // `Calvin` in `Calvin cycle` is half a term.
            return None;
        }
        Some((end, kind))
    }
}

/// `Paul Baran and Donald Davies developed`: what one of two names is, the other is too.
pub(super) fn share_kinds(text: &str, found: &mut [Found]) {
    for index in 1..found.len() {
        let (left, right) = found.split_at_mut(index);
        let (Some(a), Some(b)) = (left.last_mut(), right.first_mut()) else {
            continue;
        };
        if text[a.answer.end..b.answer.start].trim() != "and" {
            continue;
        }
        match (a.kind, b.kind) {
            (FactKind::Name, kind @ (FactKind::Person | FactKind::Place)) => a.kind = kind,
            (kind @ (FactKind::Person | FactKind::Place), FactKind::Name) => b.kind = kind,
            _ => {}
        }
    }
}

const NAME_PARTICLES: &[&str] = &[
    "van", "von", "de", "der", "du", "da", "al", "bin", "la", "le",
];

const PREPOSITIONS: &[&str] = &[
    "of", "in", "on", "at", "to", "from", "around", "near", "with", "for", "past", "between",
];

/// How names of places begin: `South Africa joined` is no person.
const COMPASS: &[&str] = &[
    "North", "South", "East", "West", "New", "Great", "United", "Saint", "San", "Los", "Central",
];

/// ATP, NADP+, RuBisCO, P680; no Roman number.
fn is_acronym(word: &str) -> bool {
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let roman = word.chars().all(|c| "IVXLC".contains(c));
    (capitals >= 2 || (capitals == 1 && digits >= 1))
        && word.len() <= 8
        && !word.contains('-')
        && !roman
}
