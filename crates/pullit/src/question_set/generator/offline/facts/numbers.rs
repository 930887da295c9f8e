//! Years, dates and numbers with a unit, in both languages.

use std::ops::Range;

use super::{FactKind, Found, Part};
use crate::question_set::generator::offline::language::Language;

/// Longest first where one begins like another.
const KOREAN_UNITS: &[&str] = &[
    "분자",
    "마이크로초",
    "나노초",
    "밀리초",
    "년대",
    "개월",
    "세기",
    "시간",
    "번째",
    "가지",
    "글자",
    "마리",
    "그루",
    "종류",
    "단계",
    "등급",
    "절기",
    "퍼센트",
    "킬로미터",
    "센티미터",
    "밀리미터",
    "나노미터",
    "마이크로미터",
    "미터",
    "킬로그램",
    "밀리그램",
    "그램",
    "밀리리터",
    "리터",
    "킬로바이트",
    "메가바이트",
    "기가바이트",
    "테라바이트",
    "바이트",
    "킬로비트",
    "메가비트",
    "비트",
    "메가헤르츠",
    "기가헤르츠",
    "헤르츠",
    "볼트",
    "와트",
    "칼로리",
    "달러",
    "페이지",
    "개국",
    "차례",
    "군데",
    "여 년",
    "년",
    "월",
    "일",
    "세",
    "시",
    "분",
    "초",
    "개",
    "명",
    "인",
    "자",
    "권",
    "편",
    "장",
    "척",
    "대",
    "종",
    "번",
    "회",
    "배",
    "층",
    "군",
    "진",
    "도",
    "톤",
    "원",
    "석",
    "결",
    "리",
    "보",
    "칸",
    "줄",
    "쪽",
    "조",
    "항",
    "곳",
    "쌍",
    "살",
    "차",
    "문",
    "호",
    "점",
    "면",
    "량",
    "억",
];

const NUMBER_WORDS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

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

/// Words after which a bare number of four digits is a year.
const BEFORE_YEAR: &[&str] = &[
    "in", "since", "by", "until", "from", "to", "of", "around", "about", "before", "after",
    "between", "and", "during", "early", "late", "year", "circa", "mid",
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
            Language::Korean => korean(text, start..end),
            Language::English => english(text, start..end, previous),
        };
        if let Some((fact, reach)) = fact {
            at = reach.max(end);
            found.push(fact);
        }
    }
    if language == Language::English {
        number_words(text, &mut found);
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

fn korean(text: &str, number: Range<usize>) -> Option<(Found, usize)> {
    if let Some(end) = dotted_date(text, &number) {
        return Some((fact(number.start..end, FactKind::Date, ""), end));
    }
    let mut end = number.end;
    for scale in ["만", "억", "천", "조"] {
        if text[end..].starts_with(scale) {
            end += scale.len();
            break;
        }
    }
    let rest = text[end..].trim_start_matches(' ');
    let gap = text.len() - end - rest.len();
    if gap > 1 {
        return None;
    }
    let digits = &text[number.start..end];
    if let Some(tail) = rest.strip_prefix("월 ")
        && let Some(day) = tail.find('일').filter(|day| (1..=2).contains(day))
        && tail[..day].chars().all(|c| c.is_ascii_digit())
    {
        let date_end = text.len() - tail.len() + day + "일".len();
        return Some((
            fact(number.start..date_end, FactKind::Date, "월 일"),
            date_end,
        ));
    }
    let unit = korean_unit(rest)?;
    if unit == "년" && (1000..=2100).contains(&digits.parse::<u32>().unwrap_or(0)) {
        let after = rest["년".len()..].trim_start();
        let duration = ["간", "동안", "전", "뒤", "후", "이상", "여", "가까"];
        if !duration.iter().any(|word| after.starts_with(word)) {
            return Some((fact(number.start..end, FactKind::Year, "년"), end));
        }
    }
    Some((fact(number.start..end, FactKind::Number, unit), end))
}

fn korean_unit(rest: &str) -> Option<&str> {
    if let Some(symbol) = ["%", "℃", "°C", "°"].iter().find(|s| rest.starts_with(**s)) {
        return Some(symbol);
    }
    let latin = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    if (1..=4).contains(&latin) {
        return Some(&rest[..latin]);
    }
    KOREAN_UNITS
        .iter()
        .find(|unit| rest.starts_with(**unit))
        .copied()
}

/// The end of a date such as `2026. 11. 22.` that starts with the year at `year`.
fn dotted_date(text: &str, year: &Range<usize>) -> Option<usize> {
    if year.len() != 4 {
        return None;
    }
    let mut end = year.end;
    for _ in 0..2 {
        let rest = text[end..].strip_prefix('.')?;
        let digits_at = text.len() - rest.trim_start_matches(' ').len();
        let digits_end = number_end(text, digits_at);
        if !(1..=2).contains(&(digits_end - digits_at)) {
            return None;
        }
        end = digits_end;
    }
    Some(end + usize::from(text[end..].starts_with('.')))
}

fn english(text: &str, number: Range<usize>, previous: &str) -> Option<(Found, usize)> {
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

fn number_words(text: &str, found: &mut Vec<Found>) {
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
