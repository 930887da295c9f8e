//! Korean and English texts, typeset at many widths and joined again.

use super::*;

/// Lines of at most `width` ems, broken between any two syllables as Korean typesetting allows,
/// without the spaces at their ends; numbers and Latin words stay whole.
fn typeset(paragraph: &str, width: f64) -> Vec<Line> {
    let ems = |c: char| {
        if c.is_ascii() || "‘’".contains(c) {
            0.5
        } else {
            1.0
        }
    };
    let keeps = |before: char, after: char| {
        (before.is_ascii_alphanumeric() && (after.is_ascii_alphanumeric() || after == ','))
            || ".,?!)》’".contains(after)
            || "(《‘".contains(before)
            || (before == ',' && after.is_ascii_digit())
            || (before == '.' && after.is_ascii_digit())
    };
    let chars: Vec<char> = paragraph.chars().collect();
    let mut lines = Vec::new();
    let mut start = 0;
    while start < chars.len() {
        let (mut used, mut end) = (0.0, start);
        while end < chars.len() && (used + ems(chars[end]) <= width || chars[end] == ' ') {
            used += ems(chars[end]);
            end += 1;
        }
        while end < chars.len() && end > start + 1 && keeps(chars[end - 1], chars[end]) {
            end -= 1;
        }
        let text: String = chars[start..end].iter().collect();
        lines.push(Line {
            text: text.trim().to_owned(),
            left: 0.0,
            right: used,
            baseline: 0.0,
            font_size: 1.0,
            trailing_space: false,
        });
        start = end;
    }
    lines
}

/// Breaks and restores all paragraphs; how many line ends came out wrong, of how many.
fn wrong(text: &str, width: f64, report: &mut Vec<String>) -> (usize, usize) {
    let mut lines = Vec::new();
    let mut continues = Vec::new();
    let mut expected = Vec::new();
    for paragraph in text
        .split("\n\n")
        .map(|paragraph| paragraph.trim_start_matches(['#', ' ']))
    {
        let mut rest = paragraph;
        for line in typeset(paragraph, width) {
            rest = &rest[rest.find(&line.text).unwrap()..][line.text.len()..];
            expected.push(rest.starts_with(' '));
            lines.push(line);
            continues.push(!rest.is_empty());
        }
    }
    let lines: Vec<&Line> = lines.iter().collect();
    let seams = Seams::learn(&lines, &continues[..continues.len() - 1]);
    let (mut wrong, mut total) = (0, 0);
    for (index, pair) in lines
        .windows(2)
        .enumerate()
        .filter(|(index, _)| continues[*index])
    {
        let mut text = pair[0].text.clone();
        seams.join(&mut text, pair[0], pair[1]);
        let spaced = text[pair[0].text.len()..].starts_with(' ');
        total += 1;
        if spaced != expected[index] {
            wrong += 1;
            report.push(format!(
                "{}|{}",
                last_token(&pair[0].text),
                first_token(&pair[1].text)
            ));
        }
    }
    (wrong, total)
}

#[test]
fn korean_words_broken_at_line_ends_are_restored_at_any_width() {
    let geography = encoding_rs::EUC_KR
        .decode(include_bytes!(
            "../../../../../examples/geography.ko.cp949.txt"
        ))
        .0
        .replace("\r\n", "\n");
    let markdown = include_str!("../../../../../examples/operating-systems.ko.md");
    let prose = crate::markdown::to_prose(markdown);
    for text in [
        include_str!("../../../fixtures/sejong.ko.txt"),
        &geography,
        prose.trim(),
    ] {
        let mut report = Vec::new();
        let (mut wrongs, mut totals) = (0, 0);
        for width in 24..60 {
            let (wrong, total) = wrong(text, f64::from(width), &mut report);
            wrongs += wrong;
            totals += total;
        }
        assert!(
            wrongs * 25 < totals,
            "{wrongs} of {totals} are wrong: {}",
            report.join("  ")
        );
    }
}
