//! From raw text to paragraphs of running prose.
//!
//! Markup, tables, code and headings are left out. Lines that were broken inside a sentence, or inside a
//! Korean word, are joined again.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;
use unicode_normalization::UnicodeNormalization;

use super::{check, josa, language::is_hangul, markup::inline_markup};
use crate::GenerationError;

/// Longer words, in bytes, are no words: whether a line broke one is not asked.
const LONGEST_WORD: usize = 256;
/// Lines between two looks at the cancellation.
const LINES: usize = 1024;

/// The prose of `text`, a paragraph or list item each, in NFC.
///
/// # Errors
/// When `cancel` is triggered meanwhile.
pub(super) fn paragraphs(
    text: &str,
    cancel: &CancellationToken,
) -> Result<Vec<String>, GenerationError> {
    let text: String = text
        .nfc()
        .filter(|c| !is_invisible(*c))
        .map(|c| {
            if matches!(c, '\u{a0}' | '\t' | '\u{3000}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    check(cancel)?;
    let words = whole_words(&text, cancel)?;
    let mut paragraphs = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for (index, line) in prose_lines(&text, cancel)?.into_iter().enumerate() {
        if index % LINES == 0 {
            check(cancel)?;
        }
        let starts_item = line.is_some_and(|line| list_item(line).is_some())
            && !block.last().is_some_and(|last| ends_inside_a_date(last));
        if line.is_none() || starts_item {
            flush(&mut block, &words, &mut paragraphs, cancel)?;
        }
        if let Some(line) = line {
            block.push(list_item(line).filter(|_| starts_item).unwrap_or(line));
        }
    }
    flush(&mut block, &words, &mut paragraphs, cancel)?;
    Ok(paragraphs)
}

/// The lines that may hold prose, without their indentation; `None` where a paragraph ends.
fn prose_lines<'a>(
    text: &'a str,
    cancel: &CancellationToken,
) -> Result<Vec<Option<&'a str>>, GenerationError> {
    let mut lines: Vec<Option<&str>> = Vec::new();
    let mut fenced = false;
    let mut front_matter = text.trim_start().starts_with("---\n");
    for (index, raw) in text
        .split(['\n', '\r', '\u{c}', '\u{2028}', '\u{2029}'])
        .enumerate()
    {
        if index % LINES == 0 {
            check(cancel)?;
        }
        let line = raw.trim().trim_start_matches('>').trim();
        if front_matter {
            let closes = index > 0 && line == "---";
            if closes || (!line.is_empty() && line != "---" && !line.contains(':')) {
                front_matter = false;
            }
            if closes || front_matter {
                continue;
            }
        }
        if line.starts_with("```") || line.starts_with("~~~") {
            fenced = !fenced;
            lines.push(None);
        } else if !line.is_empty() && line.chars().all(|c| matches!(c, '=' | '-')) && line.len() > 2
        {
            // The line above was a heading, or this is a rule; prose it is not.
            if lines
                .last()
                .is_some_and(|last| last.is_some_and(|l| l.chars().count() < 60))
            {
                lines.pop();
            }
            lines.push(None);
        } else if fenced || line.is_empty() || is_no_prose(line) {
            lines.push(None);
        } else {
            lines.push(Some(line));
        }
    }
    Ok(lines)
}

fn is_no_prose(line: &str) -> bool {
    line.starts_with('#')
        || line.starts_with('<')
        || line.starts_with("![")
        || line.starts_with('|')
        || line.matches('|').count() > 1
        || looks_like_code(line)
        || line.chars().all(|c| !c.is_alphabetic())
}

fn looks_like_code(line: &str) -> bool {
    let symbols = line
        .chars()
        .filter(|c| {
            matches!(
                c,
                '{' | '}' | ';' | '=' | '<' | '>' | '\\' | '_' | '$' | '&' | '~' | '^'
            )
        })
        .count();
    symbols > 1 && symbols * 12 > line.chars().count()
}

/// What follows the marker of a list item.
fn list_item(line: &str) -> Option<&str> {
    for bullet in [
        "- ", "* ", "+ ", "• ", "· ", "‣ ", "▪ ", "○ ", "● ", "◦ ", "– ", "※ ",
    ] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return Some(rest.trim_start());
        }
    }
    let first = line.chars().next()?;
    if ('①'..='⑳').contains(&first) {
        return Some(line[first.len_utf8()..].trim_start());
    }
    let inner = line.strip_prefix('(').unwrap_or(line);
    let marker: usize = inner
        .chars()
        .take_while(|c| c.is_ascii_digit())
        .map(char::len_utf8)
        .sum();
    let marker = match marker {
        0 if inner.chars().nth(1).is_some_and(|c| matches!(c, '.' | ')')) => {
            let c = inner
                .chars()
                .next()
                .filter(|c| is_hangul(*c) || c.is_ascii_alphabetic())?;
            c.len_utf8()
        }
        1..=2 => marker,
        _ => return None,
    };
    let rest = inner[marker..].strip_prefix([')', '.'])?;
    let rest = rest.strip_prefix(' ')?.trim_start();
    // `11. 22.` is the rest of a date, not item 11.
    let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let date = digits.len() < rest.len() && digits.starts_with('.');
    (!date).then_some(rest)
}

fn ends_inside_a_date(line: &str) -> bool {
    line.strip_suffix('.')
        .is_some_and(|line| line.ends_with(|c: char| c.is_ascii_digit()))
}

fn flush(
    block: &mut Vec<&str>,
    words: &HashSet<&str>,
    paragraphs: &mut Vec<String>,
    cancel: &CancellationToken,
) -> Result<(), GenerationError> {
    let widest = block.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let mut joined = String::new();
    for (index, line) in block.iter().enumerate() {
        if index % LINES == 0 {
            check(cancel)?;
        }
        if joined.is_empty() {
            joined.push_str(line);
        } else {
            join(&mut joined, line, words);
        }
        let length = line.chars().count();
        let heading_like = length < 40
            && length * 5 < widest * 3
            && !line.ends_with(['.', '!', '?', ',', '다'])
            && index + 1 < block.len();
        if heading_like {
            paragraphs.push(inline_markup(&std::mem::take(&mut joined)));
        }
    }
    if !joined.is_empty() {
        paragraphs.push(inline_markup(&joined));
    }
    block.clear();
    Ok(())
}

fn join(joined: &mut String, next: &str, words: &HashSet<&str>) {
    let last = last_word(joined);
    let first = next.split(' ').next().unwrap_or_default();
    if let Some(stump) = last.strip_suffix('-')
        && stump.ends_with(|c: char| c.is_alphabetic())
        && first.starts_with(|c: char| c.is_lowercase())
    {
        let hyphenated = format!("{last}{}", bare(first));
        if !words.contains(hyphenated.as_str()) {
            joined.pop();
        }
    } else if !breaks_a_word(last, first, words) {
        joined.push(' ');
    }
    joined.push_str(next);
}

/// What follows the last space; of a word that is too long to be one, its end.
///
/// A search without a bound would cost the length of the text for each line of a text without spaces.
fn last_word(joined: &str) -> &str {
    let end = &joined[joined.floor_char_boundary(joined.len().saturating_sub(LONGEST_WORD))..];
    end.rsplit(' ').next().unwrap_or_default()
}

/// Whether a line ended in the middle of a Korean word.
fn breaks_a_word(last: &str, first: &str, words: &HashSet<&str>) -> bool {
    if !last.ends_with(is_hangul) || !first.starts_with(is_hangul) {
        return false;
    }
    let rest = bare(first);
    if josa::named(rest).is_some() && rest != "이" && rest != "만"
        || matches!(rest, "다" | "한다" | "된다")
    {
        return true;
    }
    let whole = format!("{last}{rest}");
    let whole = whole.trim_start_matches(|c: char| !c.is_alphanumeric());
    let stem = josa::split(whole).map(|(stem, _)| stem);
    let known = words.contains(whole)
        || stem.is_some_and(|stem| words.contains(stem) && stem.len() > last.len());
    known && !(words.contains(last) && words.contains(rest))
}

/// Every word that stands inside a line, with and without its particle.
fn whole_words<'a>(
    text: &'a str,
    cancel: &CancellationToken,
) -> Result<HashSet<&'a str>, GenerationError> {
    let mut words = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        if index % LINES == 0 {
            check(cancel)?;
        }
        let mut tokens = line.split(' ').filter(|t| !t.is_empty()).peekable();
        let mut first = true;
        while let Some(token) = tokens.next() {
            // The words at the edges of a line may be pieces.
            if !first && tokens.peek().is_some() {
                let token = bare(token);
                words.insert(token);
                if let Some((stem, _)) = josa::split(token) {
                    words.insert(stem);
                }
            }
            first = false;
        }
    }
    Ok(words)
}

fn bare(token: &str) -> &str {
    token.trim_matches(|c: char| !c.is_alphanumeric())
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    ) || (c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

#[cfg(test)]
mod tests;
