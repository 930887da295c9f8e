//! Sentences that can stand alone in a question.

mod context;

use self::context::{after_connective, refers_back};
use super::language::Language;

/// A statement that can be understood on its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    /// As it stands in the text.
    pub(super) text: &'a str,
    /// Where it begins when a leading connective ("However,") is left out.
    pub(super) start: usize,
    pub(super) language: Language,
}

/// The statement in a sentence; none when another sentence is needed to understand it.
pub(super) fn statement(text: &str) -> Option<Statement<'_>> {
    let length = text.chars().count();
    if !(12..=320).contains(&length)
        || text.contains("://")
        || text.contains("www.")
        || text.contains('@')
    {
        return None;
    }
    let language = Language::of(text)?;
    let words = text.split(' ').count();
    let fits = match language {
        Language::Korean => {
            (4..=40).contains(&words) && (text.ends_with("다.") || text.ends_with("다"))
        }
        Language::English => {
            (6..=45).contains(&words)
                && text.ends_with('.')
                && text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
        }
    };
    let start = after_connective(text, language);
    let unbalanced = text.matches('(').count() != text.matches(')').count();
    let quotes = !text.matches(['"', '“', '”']).count().is_multiple_of(2);
    if !fits || unbalanced || quotes || refers_back(&text[start..], language) {
        return None;
    }
    Some(Statement {
        text,
        start,
        language,
    })
}

#[cfg(test)]
mod tests;
