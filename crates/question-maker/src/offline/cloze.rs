//! A sentence with a blank, and a sentence with one fact put in another's place.

use super::{
    document::{Document, Mention, Sentence},
    josa,
    language::{Language, is_hangul},
};
use crate::validation::comparable;

const BLANK: &str = "____";

/// The sentence with a blank for the mention; none when the rest reveals the answer.
pub(super) fn blanked(
    document: &Document,
    sentence: &Sentence,
    mention: &Mention,
) -> Option<String> {
    let blank = &mention.found.blank;
    let before = &sentence.text[sentence.start..blank.start];
    let after = &sentence.text[blank.end..];
    let text = match sentence.language {
        Language::Korean => {
            let (bracket, josa, rest) = tail(after);
            format!("{before}{BLANK}{bracket}{}{rest}", hidden(josa))
        }
        Language::English => format!("{}{BLANK}{after}", hide_article(before)),
    };
    let answer = &document.fact(mention).comparable;
    (!gives_away(&text, answer, sentence.language)).then(|| capitalised(&text, sentence.language))
}

/// Whether a reader finds the answer, or most of it, in what is visible.
pub(super) fn gives_away(visible: &str, answer: &str, language: Language) -> bool {
    let visible_comparable = comparable(visible);
    if visible_comparable.contains(answer) {
        return true;
    }
    // `photosynthetic` reveals photosynthesis.
    language == Language::English
        && visible
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| word.len() >= 7)
            .any(|word| {
                let word = word.to_lowercase();
                let alike = word
                    .chars()
                    .zip(answer.chars())
                    .take_while(|(a, b)| a == b)
                    .count();
                alike >= 7
            })
}

/// The sentence with `other` in the place of the mention, with the grammar around it put right;
/// none when it cannot be.
pub(super) fn swapped(sentence: &Sentence, mention: &Mention, other: &str) -> Option<String> {
    let blank = &mention.found.blank;
    let before = &sentence.text[sentence.start..blank.start];
    let after = &sentence.text[blank.end..];
    let text = match sentence.language {
        Language::Korean => {
            let (bracket, josa, rest) = tail(after);
            let josa = match josa::named(josa) {
                Some(josa) => josa.after(other)?,
                None if josa.starts_with("이었") || josa.starts_with("였") => return None,
                None => josa,
            };
            format!("{before}{other}{bracket}{josa}{rest}")
        }
        Language::English => format!("{}{other}{after}", fit_article(before, other)),
    };
    Some(capitalised(&text, sentence.language))
}

/// A closing bracket, the particle after it, and the rest.
fn tail(after: &str) -> (&str, &str, &str) {
    let bracket = after
        .chars()
        .next()
        .filter(|c| matches!(c, '』' | '」' | '》' | '〉' | '’' | '”' | '\'' | '"'))
        .map_or(0, char::len_utf8);
    let (bracket, after) = after.split_at(bracket);
    let end = after.find(|c: char| !is_hangul(c)).unwrap_or(after.len());
    let (josa, rest) = after.split_at(end);
    (bracket, josa, rest)
}

fn hidden(particle: &str) -> String {
    if let Some(josa) = josa::named(particle) {
        return josa.after_blank().to_owned();
    }
    for form in ["이었", "였"] {
        if let Some(rest) = particle.strip_prefix(form) {
            return format!("이었(였){rest}");
        }
    }
    particle.to_owned()
}

fn hide_article(before: &str) -> String {
    for (article, both) in [
        ("a ", "a(n) "),
        ("an ", "a(n) "),
        ("A ", "A(n) "),
        ("An ", "A(n) "),
    ] {
        if let Some(start) = before.strip_suffix(article)
            && (start.is_empty() || start.ends_with([' ', '(', '“', '"']))
        {
            return format!("{start}{both}");
        }
    }
    before.to_owned()
}

fn fit_article(before: &str, word: &str) -> String {
    for (article, bare) in [("a ", "a"), ("an ", "a"), ("A ", "A"), ("An ", "A")] {
        if let Some(start) = before.strip_suffix(article)
            && (start.is_empty() || start.ends_with([' ', '(', '“', '"']))
        {
            let n = if starts_with_a_vowel_sound(word) {
                "n"
            } else {
                ""
            };
            return format!("{start}{bare}{n} ");
        }
    }
    before.to_owned()
}

fn starts_with_a_vowel_sound(word: &str) -> bool {
    let lower = word.to_lowercase();
    if word
        .chars()
        .take(2)
        .filter(char::is_ascii_uppercase)
        .count()
        == 2
    {
        return word.starts_with(['A', 'E', 'F', 'H', 'I', 'L', 'M', 'N', 'O', 'R', 'S', 'X']);
    }
    let silent_h = ["hour", "honest", "heir", "honour", "honor"]
        .iter()
        .any(|w| lower.starts_with(w));
    let like_you = ["uni", "use", "usu", "eu", "one", "ute"]
        .iter()
        .any(|w| lower.starts_with(w))
        && !lower.starts_with("unin");
    silent_h || (lower.starts_with(['a', 'e', 'i', 'o', 'u', '8']) && !like_you)
}

/// The text with a capital at its beginning.
pub(super) fn capitalised(text: &str, language: Language) -> String {
    let mut chars = text.chars();
    match (language, chars.next()) {
        (Language::English, Some(first)) => first.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_after_a_blank_show_both_forms() {
        assert_eq!(hidden("는"), "은(는)");
        assert_eq!(hidden("이었으며"), "이었으며(였으며)");
        assert_eq!(hidden("였던"), "이었(였)던");
        assert_eq!(hidden("에서"), "에서");
    }

    #[test]
    fn an_article_before_a_blank_is_left_open() {
        assert_eq!(hide_article("This is an "), "This is a(n) ");
        assert_eq!(hide_article("A "), "A(n) ");
        assert_eq!(hide_article("It has data "), "It has data ");
    }

    #[test]
    fn an_article_fits_the_word_that_is_put_in() {
        assert_eq!(fit_article("It is a ", "organelle"), "It is an ");
        assert_eq!(fit_article("It is an ", "ATP molecule"), "It is an ");
        assert_eq!(fit_article("An ", "unit"), "A ");
    }

    #[test]
    fn a_longer_form_of_the_answer_gives_it_away() {
        assert!(gives_away(
            "____은(는) 측우기들이다",
            "측우기",
            Language::Korean
        ));
        assert!(gives_away(
            "Photosynthetic cells do ____",
            "photosynthesis",
            Language::English
        ));
        assert!(!gives_away(
            "Plants need ____",
            "photosynthesis",
            Language::English
        ));
    }
}
