//! From paragraphs to sentences.

use tokio_util::sync::CancellationToken;
use unicode_segmentation::UnicodeSegmentation;

use super::{check, language::is_hangul};
use crate::GenerationError;

/// The sentences of one paragraph. Dates, abbreviations, initials and open brackets do not end one.
///
/// # Errors
/// When `cancel` is triggered meanwhile.
pub(super) fn split<'a>(
    paragraph: &'a str,
    cancel: &CancellationToken,
) -> Result<Vec<&'a str>, GenerationError> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut bounds = paragraph.split_sentence_bound_indices().peekable();
    let mut pieces = 0_usize;
    while let Some((at, piece)) = bounds.next() {
        if pieces.is_multiple_of(1024) {
            check(cancel)?;
        }
        pieces += 1;
        let end = at + piece.len();
        let next = bounds.peek().map_or("", |(_, next)| *next);
        let current = paragraph[start..end].trim_end();
        let glued = current.len() == end - start;
        if next.is_empty() || !continues(current, next, glued) {
            let sentence = paragraph[start..end].trim();
            if !sentence.is_empty() {
                sentences.push(sentence);
            }
            start = end;
        }
    }
    Ok(sentences)
}

const ABBREVIATIONS: &[&str] = &[
    "e.g.", "i.e.", "cf.", "vs.", "Dr.", "Mr.", "Mrs.", "Ms.", "Prof.", "St.", "Jr.", "Sr.",
    "Fig.", "No.", "Vol.", "pp.", "p.", "ca.", "approx.", "et al.", "Eq.", "Sec.", "Ch.", "Gen.",
    "Col.", "Jan.", "Feb.", "Mar.", "Apr.", "Aug.", "Sept.", "Oct.", "Nov.", "Dec.", "U.S.",
    "a.m.", "p.m.",
];

/// Whether the sentence goes on with `next`; `glued` when no space stands between.
fn continues(current: &str, next: &str, glued: bool) -> bool {
    if current.len() > 600 {
        return false;
    }
    let next = next.trim_start();
    let last = current.rsplit(' ').next().unwrap_or_default();
    if let Some(stump) = current.strip_suffix('.') {
        let number = stump.ends_with(|c: char| c.is_ascii_digit());
        // `2026. 11. 22. 에`: a number with a dot ends a sentence only before a new one.
        if number && (next.starts_with(|c: char| c.is_ascii_digit()) || is_date(last, current)) {
            return true;
        }
        let bare = last.trim_start_matches(['(', '“', '"', '‘', '\'']);
        let initial = bare.len() == 2 && bare.starts_with(|c: char| c.is_ascii_uppercase());
        if initial && next.starts_with(|c: char| c.is_uppercase()) && !current.ends_with(" I.") {
            return true;
        }
        if ABBREVIATIONS
            .iter()
            .any(|short| current.ends_with(short) && (bare.len() <= short.len()))
        {
            return true;
        }
    }
    if glued && current.ends_with([')', '”', '’']) && next.starts_with(is_hangul) {
        return true;
    }
    let count = |brackets: &[char]| current.chars().filter(|c| brackets.contains(c)).count();
    let open = count(&['(', '[', '『', '「', '《', '“']);
    let closed = count(&[')', ']', '』', '」', '》', '”']);
    open > closed && next.len() < 400
}

/// Whether the dot after `last` is that of a date such as `2026. 11. 22.`.
fn is_date(last: &str, current: &str) -> bool {
    let digits = last.trim_end_matches('.');
    let short = digits.len() <= 2 && digits.chars().all(|c| c.is_ascii_digit());
    let before = current[..current.len() - last.len()].trim_end();
    short
        && before.ends_with('.')
        && before[..before.len() - 1].ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(paragraph: &str) -> Vec<&str> {
        super::split(paragraph, &CancellationToken::new()).unwrap()
    }

    #[test]
    fn a_date_with_dots_and_spaces_stays_in_one_sentence() {
        assert_eq!(
            split("회의는 2026. 11. 22. 에 열렸다. 결과는 다음 날 나왔다."),
            ["회의는 2026. 11. 22. 에 열렸다.", "결과는 다음 날 나왔다."]
        );
        assert_eq!(
            split("기한은 2026. 11. 22. 10시까지이다. 늦으면 안 된다.").len(),
            2
        );
    }

    #[test]
    fn abbreviations_initials_and_decimals_do_not_end_a_sentence() {
        let text =
            "Some cells, e.g. Guard cells, swell. Dr. J. K. Smith measured 3.14 mm. It fits.";
        assert_eq!(
            split(text),
            [
                "Some cells, e.g. Guard cells, swell.",
                "Dr. J. K. Smith measured 3.14 mm.",
                "It fits."
            ]
        );
    }

    #[test]
    fn a_sentence_in_brackets_belongs_to_the_one_around_it() {
        let text = "세종은 글자를 만들었다(1443년에 끝났다. 긴 일이었다.)고 한다. 뜻이 깊다.";
        assert_eq!(split(text).len(), 2);
    }
}
