//! The words that a document itself shows to exist.

use std::collections::{HashMap, HashSet};

use super::korean;

/// What the insides of a document's lines say about its words.
pub(super) struct Vocabulary {
    words: HashSet<String>,
    /// Words without their particles, of two syllables or more.
    stems: HashSet<String>,
    /// The first two to four syllables of words.
    beginnings: HashSet<String>,
    /// How often two characters meet within a word.
    inside: HashMap<(char, char), f64>,
    /// How often they meet across a space.
    across: HashMap<(char, char), f64>,
}

impl Vocabulary {
    /// Knows the words that any document uses.
    pub(super) fn new() -> Self {
        Self {
            words: HashSet::new(),
            stems: korean::COMMON
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            beginnings: HashSet::new(),
            inside: HashMap::new(),
            across: HashMap::new(),
        }
    }

    /// Learns from a line; `whole_start` and `whole_end` say that its edges are those of words too.
    pub(super) fn learn(&mut self, line: &str, whole_start: bool, whole_end: bool) {
        let tokens: Vec<&str> = line.split_whitespace().collect();
        for (index, token) in tokens.iter().enumerate() {
            let whole = (index > 0 || whole_start) && (index + 1 < tokens.len() || whole_end);
            let mut previous = None;
            for c in token.chars() {
                if let Some(previous) = previous.replace(c) {
                    *self.inside.entry(pair(previous, c)).or_default() += 1.0;
                }
            }
            let next = tokens.get(index + 1).and_then(|next| next.chars().next());
            if let (Some(end), Some(start)) = (token.chars().next_back(), next) {
                *self.across.entry(pair(end, start)).or_default() += 1.0;
            }
            if whole {
                self.learn_word(bare(token));
            }
        }
    }

    fn learn_word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        self.words.insert(word.to_lowercase());
        for (at, _) in word.char_indices().skip(2).take(3) {
            self.beginnings.insert(word[..at].to_owned());
        }
        let stem = korean::stem(word);
        if stem.chars().count() >= 2 {
            self.stems.insert(stem.to_owned());
        }
    }

    pub(super) fn knows_word(&self, word: &str) -> bool {
        self.words.contains(&word.to_lowercase())
    }

    pub(super) fn knows_stem(&self, word: &str) -> bool {
        self.stems.contains(korean::stem(word))
    }

    /// Whether `word` as it is can take a particle.
    pub(super) fn is_stem(&self, word: &str) -> bool {
        self.stems.contains(word)
    }

    /// Whether a known word or stem begins `joined` and reaches beyond its first `beyond` bytes.
    pub(super) fn reaches_into(&self, joined: &str, beyond: usize) -> bool {
        let digits = joined.len() - joined.trim_start_matches(is_numeric).len();
        let (joined, beyond) = (&joined[digits..], beyond.saturating_sub(digits));
        joined
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .any(|end| {
                end > beyond
                    && (self.words.contains(&joined[..end]) || self.stems.contains(&joined[..end]))
            })
    }

    /// Whether a known word begins like `joined`, up to beyond its first `beyond` bytes.
    pub(super) fn shares_beginning(&self, joined: &str, beyond: usize) -> bool {
        let end = joined
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .find(|end| *end > beyond);
        end.is_some_and(|end| self.beginnings.contains(&joined[..end]))
    }

    /// Whether `word` begins with a known word of two syllables or more.
    pub(super) fn begins_with_known(&self, word: &str) -> bool {
        word.char_indices()
            .skip(2)
            .any(|(at, _)| self.stems.contains(&word[..at]))
    }

    /// The natural logarithm of the odds that two characters that meet are within one word.
    pub(super) fn odds_inside(&self, left: char, right: char) -> f64 {
        let pair = pair(left, right);
        let count = |map: &HashMap<_, f64>| map.get(&pair).copied().unwrap_or_default() + 0.4;
        (count(&self.inside) / count(&self.across)).ln()
    }
}

/// A token without the punctuation around it.
pub(super) fn bare(token: &str) -> &str {
    token.trim_matches(|c: char| !c.is_alphanumeric())
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, ',' | '.')
}

/// Digits count as one character, and before a bracket all syllables do.
fn pair(left: char, right: char) -> (char, char) {
    let fold = |c: char| if c.is_ascii_digit() { '0' } else { c };
    match right {
        '(' | '[' if korean::is_hangul(left) => ('가', '('),
        _ => (fold(left), fold(right)),
    }
}
