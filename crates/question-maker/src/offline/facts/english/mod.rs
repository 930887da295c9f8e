//! Facts of English sentences.
//!
//! Nouns are found by the company they keep: after an article and before a verb, a preposition or
//! a full stop. [`Lexicon::learn`] reads all sentences once for that.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use tokio_util::sync::CancellationToken;

use self::{definition::definition, names::share_kinds};
use super::{FactKind, Facts, Found, Part};

use crate::GenerationError;
use crate::offline::{check, guarded};

pub(in super::super) use self::lists::{is_function, is_plural};

mod definition;
mod lists;
mod names;

/// One word of a sentence.
#[derive(Debug, Clone)]
struct Word {
    range: Range<usize>,
    lower: String,
    capital: bool,
    /// Punctuation or a bracket stands between this word and the next.
    stops: bool,
}

/// What one document taught about its words.
#[derive(Debug, Default)]
pub(in super::super) struct Lexicon {
    nouns: HashMap<String, u32>,
    pairs: HashMap<String, u32>,
    /// Words that are capitals in the middle of a sentence.
    proper: HashSet<String>,
    /// Words that are small in the middle of a sentence.
    common: HashSet<String>,
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut start = None;
    let inner = |c: char| matches!(c, '-' | '\'' | '’' | '+' | '/');
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let part = c.is_alphanumeric() || (start.is_some() && inner(c));
        match (part, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let raw = &text[from..at];
                let raw = raw
                    .strip_suffix("'s")
                    .or(raw.strip_suffix("’s"))
                    .unwrap_or(raw);
                let raw = raw.trim_end_matches(['-', '\'', '’', '/']);
                words.push(Word {
                    range: from..from + raw.len(),
                    lower: raw.to_lowercase(),
                    capital: raw.starts_with(char::is_uppercase),
                    stops: !c.is_whitespace() || from + raw.len() < at,
                });
                start = None;
            }
            _ => {}
        }
    }
    words
}

const DETERMINERS: &[&str] = &[
    "the", "a", "an", "each", "every", "its", "their", "his", "her", "no",
];

const AFTER_NOUN: &[&str] = &[
    "of", "in", "from", "to", "by", "for", "with", "on", "at", "into", "between", "through", "is",
    "are", "was", "were", "has", "have", "had", "can", "could", "may", "must", "will", "would",
    "that", "which", "who", "and", "or", "as", "when", "where", "because", "does", "do", "during",
    "than",
];

const BEFORE_NOUN: &[&str] = &[
    "of", "in", "from", "into", "by", "with", "between", "through",
];

impl Lexicon {
    /// Reads the English sentences of a document.
    ///
    /// # Errors
    /// When `cancel` is triggered meanwhile.
    pub(in super::super) fn learn<'a>(
        sentences: impl Iterator<Item = &'a str>,
        cancel: &CancellationToken,
    ) -> Result<Self, GenerationError> {
        let mut lexicon = Self::default();
        for text in sentences {
            check(cancel)?;
            // A sentence that cannot be read teaches nothing.
            let _ = guarded(|| lexicon.learn_of_a_sentence(text));
        }
        Ok(lexicon)
    }

    fn learn_of_a_sentence(&mut self, text: &str) {
        let words = words(text);
        for (index, word) in words.iter().enumerate() {
            if index > 0 {
                let seen = if word.capital {
                    &mut self.proper
                } else {
                    &mut self.common
                };
                if !seen.contains(&word.lower) {
                    seen.insert(word.lower.clone());
                }
            }
            if lists::is_no_noun(&word.lower) || word.lower.len() < 3 {
                continue;
            }
            let next = words.get(index + 1).filter(|_| !word.stops);
            let ends = next.is_none_or(|next| AFTER_NOUN.contains(&next.lower.as_str()));
            let before = index
                .checked_sub(1)
                .map(|i| &words[i])
                .filter(|before| !before.stops);
            let introduced = before.is_some_and(|before| {
                DETERMINERS.contains(&before.lower.as_str())
                    || (BEFORE_NOUN.contains(&before.lower.as_str())
                        && !word.lower.ends_with("ing"))
            });
            let subject =
                index == 0 && next.is_some_and(|next| matches!(next.lower.as_str(), "is" | "are"));
            if (introduced && ends) || subject {
                *self.nouns.entry(word.lower.clone()).or_default() += 1;
            }
            if let Some(next) = next
                && !lists::is_no_noun(&next.lower)
            {
                *self
                    .pairs
                    .entry(format!("{} {}", word.lower, next.lower))
                    .or_default() += 1;
            }
        }
    }

    fn is_noun(&self, lower: &str) -> bool {
        self.nouns.contains_key(lower) && !lists::is_no_noun(lower)
    }

    fn is_proper(&self, words: &[Word], index: usize) -> bool {
        let word = &words[index];
        if !word.capital || lists::is_function(&word.lower) {
            return false;
        }
        index > 0 || (self.proper.contains(&word.lower) && !self.common.contains(&word.lower))
    }

    /// The facts of one sentence, in their order.
    pub(in super::super) fn facts(&self, text: &str) -> Facts {
        let words = words(text);
        let definition = definition(text, &words);
        let mut found = Vec::new();
        let mut index = 0;
        if let Some(definition) = &definition {
            let subject = definition.subject.clone();
            index = words
                .iter()
                .position(|w| w.range.start >= subject.end)
                .unwrap_or(words.len());
            let kind = self.defined_kind(text, &words, &subject);
            found.push(fact(text, subject, kind, Part::Defined));
        }
        while index < words.len() {
            let (end, kind) = self
                .name_at(text, &words, index)
                .unwrap_or((index, FactKind::Term));
            if end > index {
                let range = words[index].range.start..words[end - 1].range.end;
                let part = part(text, &words, index, end);
                found.push(fact(text, range, kind, part));
                index = end;
                continue;
            }
            let end = self.term_at(&words, index);
            let is_genus = definition.as_ref().is_some_and(|d| {
                end > index && words[end - 1].lower.trim_end_matches('s') == d.genus
            });
            if is_genus {
                index = end;
            } else if end > index {
                let range = words[index].range.start..words[end - 1].range.end;
                found.push(fact(
                    text,
                    range,
                    FactKind::Term,
                    part(text, &words, index, end),
                ));
                index = end;
            } else {
                index += 1;
            }
        }
        share_kinds(text, &mut found);
        Facts { found, definition }
    }

    /// The longest term that starts at `index`: where it ends, or `index` when there is none.
    fn term_at(&self, words: &[Word], index: usize) -> usize {
        let mut end = index;
        while end < words.len() && end - index < 3 {
            let word = &words[end];
            if lists::is_no_noun(&word.lower)
                || word.lower.starts_with(|c: char| c.is_ascii_digit())
            {
                break;
            }
            if end > index {
                let pair = format!("{} {}", words[end - 1].lower, word.lower);
                let repeated = self.pairs.get(&pair).copied().unwrap_or(0) >= 2;
                let nouns = self.is_noun(&words[end - 1].lower) && self.is_noun(&word.lower);
                if words[end - 1].stops || !(repeated || nouns) {
                    break;
                }
            }
            end += 1;
        }
        // A term ends in a noun.
        while end > index && !self.is_noun(&words[end - 1].lower) {
            end -= 1;
        }
        let lone = end == index + 1;
        if lone {
            let word = &words[index];
            let compound_before = index > 0
                && !words[index - 1].stops
                && self
                    .pairs
                    .get(&format!("{} {}", words[index - 1].lower, word.lower))
                    .is_some_and(|n| *n >= 2);
            let of_something = !word.stops && words.get(end).is_some_and(|next| next.lower == "of");
            if word.lower.len() < 4
                || lists::is_general(&word.lower)
                || compound_before
                || of_something
            {
                return index;
            }
        }
        end
    }
}

fn fact(text: &str, answer: Range<usize>, kind: FactKind, part: Part) -> Found {
    let rest = &text[answer.end..];
    let gloss = rest
        .strip_prefix(" (")
        .and_then(|inner| inner.find(')'))
        .map_or(0, |length| length + 3);
    Found {
        blank: answer.start..answer.end + gloss,
        answer,
        kind,
        unit: String::new(),
        part,
    }
}

fn part(text: &str, words: &[Word], start: usize, end: usize) -> Part {
    let before = start
        .checked_sub(1)
        .map(|i| words[i].lower.as_str())
        .unwrap_or_default();
    let before_that = start
        .checked_sub(2)
        .map(|i| words[i].lower.as_str())
        .unwrap_or_default();
    let called = matches!(before, "called" | "termed" | "named")
        || (before == "as" && before_that == "known")
        || (matches!(before, "a" | "an" | "the") && matches!(before_that, "called" | "termed"));
    let after = &text[words[end - 1].range.end..];
    let listed = matches!(before, "and" | "or")
        || after.starts_with(" and ")
        || after.starts_with(" or ")
        || (after.starts_with(", ") && start > 1);
    if called {
        Part::Called
    } else if listed {
        Part::Listed
    } else if start == 0 || (start == 1 && matches!(before, "the" | "a" | "an")) {
        Part::Topic
    } else {
        Part::Other
    }
}
