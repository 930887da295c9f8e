//! English sentences that say what something is.

use super::{super::Definition, Word, lists};

/// `X is a Y …`, `X refers to …`.
pub(super) fn definition(text: &str, words: &[Word]) -> Option<Definition> {
    let first = usize::from(matches!(words.first()?.lower.as_str(), "the" | "a" | "an"));
    let verb = words.iter().take(first + 6).position(|w| {
        matches!(
            w.lower.as_str(),
            "is" | "are" | "was" | "were" | "refers" | "means" | "denotes" | "describes"
        )
    })?;
    if verb <= first || verb - first > 5 || words[first..verb].iter().any(|w| w.stops) {
        return None;
    }
    let subject_words = &words[first..verb];
    let of_inside = |w: &Word| w.lower == "of";
    if subject_words
        .iter()
        .any(|w| lists::is_no_noun(&w.lower) && !of_inside(w) && subject_words.len() > 1)
        || lists::is_function(&subject_words[0].lower)
        || subject_words
            .iter()
            .any(|w| w.lower.starts_with(|c: char| c.is_ascii_digit()))
    {
        return None;
    }
    let name = subject_words
        .iter()
        .map(|w| w.lower.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    if lists::is_general(&name)
        || name.len() < 3
        || subject_words.iter().any(|w| of_inside(w) && w.stops)
    {
        return None;
    }
    let next = words.get(verb + 1)?;
    let plural = words[verb].lower == "are" || words[verb].lower == "were";
    let to = words[verb].lower == "refers";
    let article = matches!(next.lower.as_str(), "a" | "an" | "the" | "any");
    let plural_noun = plural
        && words[verb + 1..]
            .iter()
            .take(5)
            .any(|w| w.lower.ends_with('s') && !w.stops)
        && !next.lower.ends_with("ed")
        && !lists::is_function(&next.lower)
        && next.lower != "found"
        && next.lower != "needed";
    let says = matches!(
        words[verb].lower.as_str(),
        "means" | "denotes" | "describes"
    );
    if !(article || plural_noun || to || says) {
        return None;
    }
    let predicate = if to { words.get(verb + 2)? } else { next };
    let genus = genus(&words[verb + 1..])?;
    Some(Definition {
        subject: subject_words[0].range.start..subject_words.last()?.range.end,
        predicate: predicate.range.start..text.len(),
        genus,
    })
}

/// The noun before the first word that goes on to explain it.
fn genus(words: &[Word]) -> Option<String> {
    let end = words.iter().skip(1).position(|w| {
        matches!(
            w.lower.as_str(),
            "that"
                | "which"
                | "who"
                | "of"
                | "by"
                | "in"
                | "on"
                | "with"
                | "at"
                | "to"
                | "for"
                | "from"
                | "where"
                | "whose"
                | "when"
        )
    });
    let end = end.map_or(words.len(), |end| end + 1);
    words[..end]
        .last()
        .map(|w| w.lower.trim_end_matches('s').to_owned())
}
