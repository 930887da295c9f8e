//! The words of a Korean sentence: what stands between two spaces, taken apart.

use std::ops::Range;

use crate::offline::josa::{self, Josa};

/// One word; ranges are bytes of its sentence.
#[derive(Debug, Clone)]
pub(super) struct Eojeol {
    /// The word without brackets, gloss and punctuation; a particle may still hang on it.
    pub(super) core: Range<usize>,
    /// The noun and its particle, if it can be read so.
    pub(super) split: Option<(Range<usize>, &'static Josa)>,
    /// `(…)` between noun and particle.
    pub(super) gloss: Option<Range<usize>>,
    /// The bracket that opens a title or a quotation.
    pub(super) quote: Option<char>,
    /// Punctuation follows: a comma, a full stop.
    pub(super) stops: bool,
}

impl Eojeol {
    /// The particle is certain, because a bracket separates it from the noun.
    pub(super) fn is_certain(&self) -> bool {
        self.gloss.is_some() || self.quote.is_some()
    }
}

const QUOTES: &[(char, char)] = &[
    ('『', '』'),
    ('「', '」'),
    ('《', '》'),
    ('〈', '〉'),
    ('‘', '’'),
    ('“', '”'),
    ('\'', '\''),
    ('"', '"'),
];

/// The words of a sentence in their order.
pub(super) fn words(text: &str) -> Vec<Eojeol> {
    pieces(text)
        .into_iter()
        .filter_map(|piece| word(text, piece))
        .collect()
}

/// What stands between spaces, where brackets and titles hold their spaces.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = None;
    let mut closing: Option<(char, usize)> = None;
    for (at, c) in text.char_indices() {
        if let Some((close, until)) = closing {
            if c == close || at >= until {
                closing = None;
            }
            continue;
        }
        if c == ' ' {
            if let Some(start) = start.take() {
                pieces.push(start..at);
            }
            continue;
        }
        start.get_or_insert(at);
        let close = match c {
            '(' => Some(')'),
            '\'' | '"' => None,
            _ => QUOTES
                .iter()
                .find(|(open, _)| *open == c)
                .map(|(_, close)| *close),
        };
        if let Some(close) = close
            && let Some(length) = text[at..].find(close)
            && length < 120
        {
            closing = Some((close, at + length));
        }
    }
    if let Some(start) = start {
        pieces.push(start..text.len());
    }
    pieces
}

fn word(text: &str, piece: Range<usize>) -> Option<Eojeol> {
    let raw = &text[piece.clone()];
    let trimmed = raw.trim_end_matches(['.', ',', '!', '?', ';', ':', '…']);
    let stops = trimmed.len() < raw.len();
    let end = piece.start + trimmed.len();
    let first = trimmed.chars().next()?;
    if let Some(&(_, close)) = QUOTES.iter().find(|(open, _)| *open == first) {
        let inner = piece.start + first.len_utf8();
        if let Some(length) = text[inner..end].find(close) {
            let quoted = &text[inner..inner + length];
            let core_start = inner + quoted.len() - quoted.trim_start().len();
            let core = core_start..core_start + quoted.trim().len();
            let after = inner + length + close.len_utf8();
            let (gloss, after) = gloss_at(text, after, end);
            let split = josa::named(&text[after..end]).map(|josa| (core.clone(), josa));
            return Some(Eojeol {
                core,
                split,
                gloss,
                quote: Some(first),
                stops,
            });
        }
    }
    if let Some(open) = trimmed.find('(').filter(|open| *open > 0) {
        let core = piece.start..piece.start + open;
        let (gloss, after) = gloss_at(text, core.end, end);
        if gloss.is_some() {
            let split = josa::named(&text[after..end]).map(|josa| (core.clone(), josa));
            return Some(Eojeol {
                core,
                split,
                gloss,
                quote: None,
                stops,
            });
        }
    }
    let bare = trimmed.trim_start_matches(|c: char| !c.is_alphanumeric());
    let start = end - bare.len();
    let bare =
        bare.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '+' | '#' | '%'));
    if bare.is_empty() {
        return None;
    }
    let core = start..start + bare.len();
    let split = josa::split(bare).map(|(stem, josa)| (start..start + stem.len(), josa));
    Some(Eojeol {
        core,
        split,
        gloss: None,
        quote: None,
        stops: stops || start + bare.len() < end,
    })
}

fn gloss_at(text: &str, at: usize, end: usize) -> (Option<Range<usize>>, usize) {
    if text[at..end].starts_with('(')
        && let Some(length) = text[at..end].find(')')
    {
        return (Some(at..at + length + 1), at + length + 1);
    }
    (None, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_glosses_are_told_from_the_particle() {
        let text = "『훈민정음 해례본』의 스케줄러(CPU scheduler)는 좋다.";
        let words = words(text);
        assert_eq!(&text[words[0].core.clone()], "훈민정음 해례본");
        assert_eq!(words[0].split.as_ref().unwrap().1.form, "의");
        assert_eq!(&text[words[1].core.clone()], "스케줄러");
        assert_eq!(&text[words[1].gloss.clone().unwrap()], "(CPU scheduler)");
        assert_eq!(words[1].split.as_ref().unwrap().1.form, "는");
        assert!(words[2].stops);
    }
}
