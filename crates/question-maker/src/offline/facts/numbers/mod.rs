//! Years, dates and numbers with a unit, in both languages.

use std::ops::Range;

use super::{FactKind, Found, Part};
use crate::offline::language::Language;

mod english;
mod korean;

const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Words that number a part of a text rather than count something.
const NUMBERED: &[&str] = &[
    "figure",
    "table",
    "chapter",
    "section",
    "part",
    "page",
    "equation",
    "appendix",
    "unit",
    "step",
    "type",
    "version",
    "level",
    "phase",
    "grade",
    "class",
    "room",
    "no",
    "photosystem",
    "article",
    "그림",
    "표",
    "식",
    "제",
    "부록",
    "예제",
];

/// The numbers of a sentence.
pub(in super::super) fn find(text: &str, language: Language) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = text[at..].find(|c: char| c.is_ascii_digit()) {
        let start = at + offset;
        let end = number_end(text, start);
        at = end;
        let before = &text[..start];
        let glued = before.chars().next_back().is_some_and(|c| {
            c.is_alphanumeric() || matches!(c, '_' | '#' | '[' | '^' | '/' | '.' | '-' | '−' | '+')
        });
        let previous = last_word(before);
        // IEEE 802, Apollo 11; but: In 1961, March 5.
        let year = end - start == 4 || MONTHS.contains(&previous);
        let name = language == Language::English
            && previous.len() > 1
            && (previous.bytes().all(|b| b.is_ascii_uppercase())
                || (previous.starts_with(char::is_uppercase) && !year && previous.len() < start));
        if glued || name || NUMBERED.contains(&previous.to_lowercase().as_str()) {
            continue;
        }
        let fact = match language {
            Language::Korean => korean::number(text, start..end),
            Language::English => english::number(text, start..end, previous),
        };
        if let Some((fact, reach)) = fact {
            at = reach.max(end);
            found.push(fact);
        }
    }
    if language == Language::English {
        english::number_words(text, &mut found);
    }
    found
}

fn number_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = start;
    while end < bytes.len() {
        let joins =
            matches!(bytes[end], b'.' | b',') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if !bytes[end].is_ascii_digit() && !joins {
            break;
        }
        end += 1;
    }
    end
}

fn last_word(before: &str) -> &str {
    let trimmed = before.trim_end_matches([' ', '.']);
    let start = trimmed
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphanumeric())
        .last()
        .map_or(trimmed.len(), |(at, _)| at);
    &trimmed[start..]
}

fn fact(answer: Range<usize>, kind: FactKind, unit: &str) -> Found {
    Found {
        blank: answer.clone(),
        answer,
        kind,
        unit: unit.to_owned(),
        part: Part::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str, language: Language) -> Vec<(&str, FactKind, String)> {
        find(text, language)
            .into_iter()
            .map(|f| (&text[f.answer], f.kind, f.unit))
            .collect()
    }

    #[test]
    fn korean_years_durations_counts_and_dates_are_told_apart() {
        let text =
            "세종은 1443년에 28자를 만들고 32년 동안 17만 명을 다스렸으며 10월 9일을 기념한다.";
        assert_eq!(
            facts(text, Language::Korean),
            [
                ("1443", FactKind::Year, "년".into()),
                ("28", FactKind::Number, "자".into()),
                ("32", FactKind::Number, "년".into()),
                ("17만", FactKind::Number, "명".into()),
                ("10월 9일", FactKind::Date, "월 일".into()),
            ]
        );
    }

    #[test]
    fn a_dotted_date_is_one_fact() {
        assert_eq!(
            facts("회의는 2026. 11. 22. 에 열렸다.", Language::Korean),
            [("2026. 11. 22.", FactKind::Date, String::new())]
        );
    }

    #[test]
    fn english_years_counts_and_dates_are_told_apart() {
        let text = "In 1771 he used 6 molecules, 85% of 400 to 700 nanometres, by March 5, 1953.";
        assert_eq!(
            facts(text, Language::English),
            [
                ("1771", FactKind::Year, String::new()),
                ("6", FactKind::Number, "molecules".into()),
                ("85", FactKind::Number, "%".into()),
                ("700", FactKind::Number, "nanometres".into()),
                ("March 5, 1953", FactKind::Date, String::new()),
            ]
        );
    }

    #[test]
    fn numbers_that_are_part_of_a_name_count_nothing() {
        let text = "Chapter 3 says C4 plants, P680 and Figure 2 matter in RAID 1 systems.";
        assert!(facts(text, Language::English).is_empty());
        assert!(
            facts(
                "그림 3은 C4 식물과 RAID 1은 다르다고 말한다.",
                Language::Korean
            )
            .is_empty()
        );
    }
}
