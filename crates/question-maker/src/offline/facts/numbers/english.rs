//! Numbers of English sentences: years, dates, counts with their unit, numbers in words.

use std::ops::Range;

use super::{
    super::{FactKind, Found},
    MONTHS, fact, number_end,
};

const NUMBER_WORDS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

/// Words after which a bare number of four digits is a year.
const BEFORE_YEAR: &[&str] = &[
    "in", "since", "by", "until", "from", "to", "of", "around", "about", "before", "after",
    "between", "and", "during", "early", "late", "year", "circa", "mid",
];

/// Words that cannot be a unit.
const NO_UNIT: &[&str] = &[
    "to",
    "and",
    "or",
    "of",
    "in",
    "on",
    "at",
    "by",
    "for",
    "from",
    "the",
    "a",
    "an",
    "is",
    "are",
    "was",
    "were",
    "with",
    "that",
    "which",
    "who",
    "as",
    "per",
    "when",
    "while",
    "than",
    "has",
    "have",
    "had",
    "between",
    "until",
    "after",
    "before",
    "during",
    "through",
    "over",
    "under",
    "he",
    "she",
    "they",
    "it",
    "this",
    "his",
    "her",
    "their",
    "more",
    "less",
    "other",
    "different",
    "separate",
    "main",
    "such",
    "about",
    "into",
];

/// The fact that starts with the digits at `number`, and where it ends.
pub(super) fn number(text: &str, number: Range<usize>, previous: &str) -> Option<(Found, usize)> {
    let digits = &text[number.clone()];
    let rest = &text[number.end..];
    if let Some(date) = english_date(text, &number) {
        return Some(date);
    }
    if rest.starts_with('%') {
        return Some((fact(number.clone(), FactKind::Number, "%"), number.end));
    }
    let in_range = (1000..=2100).contains(&digits.parse::<u32>().unwrap_or(0)) && digits.len() == 4;
    let word = next_word(rest);
    if in_range
        && !rest.starts_with(['-', 's', '–'])
        && (BEFORE_YEAR.contains(&previous.to_lowercase().as_str()) || MONTHS.contains(&previous))
        && (word.is_empty()
            || MONTHS.contains(&previous)
            || word.starts_with(char::is_uppercase)
            || NO_UNIT.contains(&word)
            || rest.starts_with([',', '.', ';'])
            || previous == "In")
    {
        return Some((fact(number.clone(), FactKind::Year, ""), number.end));
    }
    if rest.starts_with('s')
        || word.is_empty()
        || NO_UNIT.contains(&word)
        || rest.starts_with([',', '.', ')', '–'])
    {
        return None;
    }
    word.starts_with(char::is_lowercase)
        .then(|| (fact(number.clone(), FactKind::Number, word), number.end))
}

/// `5 March 1953`, `March 5, 1953`: the month makes the number part of a date.
fn english_date(text: &str, number: &Range<usize>) -> Option<(Found, usize)> {
    if number.len() > 2 {
        return None;
    }
    let before = text[..number.start].trim_end();
    let rest = &text[number.end..];
    let year_end = |from: usize, gap: &str| {
        let tail = text[from..].strip_prefix(gap)?;
        let at = text.len() - tail.len();
        let end = number_end(text, at);
        (end - at == 4).then_some(end)
    };
    if let Some(month) = MONTHS.iter().find(|month| before.ends_with(**month)) {
        let start = before.len() - month.len();
        let end = year_end(number.end, ", ").unwrap_or(number.end);
        return Some((fact(start..end, FactKind::Date, ""), end));
    }
    let month = MONTHS
        .iter()
        .find(|month| rest.trim_start().starts_with(**month))?;
    let month_end = text.len() - rest.trim_start().len() + month.len();
    let end = year_end(month_end, " ").unwrap_or(month_end);
    Some((fact(number.start..end, FactKind::Date, ""), end))
}

fn next_word(rest: &str) -> &str {
    let rest = rest.strip_prefix([' ', '-']).unwrap_or(rest);
    let end = rest
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(rest.len());
    &rest[..end]
}

/// Numbers that are written as words.
pub(super) fn number_words(text: &str, found: &mut Vec<Found>) {
    let mut at = 0;
    for token in text.split(' ') {
        let start = at;
        at += token.len() + 1;
        if start == 0 || !NUMBER_WORDS.contains(&token) {
            continue;
        }
        let unit = next_word(&text[start + token.len()..]);
        if unit.is_empty() || NO_UNIT.contains(&unit) || !unit.starts_with(char::is_lowercase) {
            continue;
        }
        found.push(fact(start..start + token.len(), FactKind::Number, unit));
    }
}
