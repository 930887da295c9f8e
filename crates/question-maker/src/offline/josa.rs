//! Korean particles: split from a noun, neutral after a blank, right after any noun.
//!
//! No dictionary: a particle is recognised by its letters and by whether its form agrees with the
//! sound before it. Whether what remains is a noun at all is judged elsewhere, by how the whole
//! document uses it.

mod table;

use std::{collections::HashMap, sync::LazyLock};

use self::table::{FIXED, PAIRS, Pair, WHOLE, WHOLE_ENDINGS};
use super::language::is_hangul;

/// What a word ends in, as far as particles care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Vowel,
    /// ㄹ: a consonant, except that 로 treats it as a vowel.
    Rieul,
    Consonant,
}

/// What a particle says about the noun before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Topic,
    Subject,
    Object,
    And,
    Of,
    At,
    By,
    /// Only people and animals take it: 에게, 께서.
    Animate,
    Also,
    /// 이란, 란, 이라는: what follows explains the noun.
    Meaning,
    /// 이라고, 라고: the noun is what something is called.
    Called,
    /// 이다 and its forms.
    Is,
}

/// One form of one particle.
#[derive(Debug)]
pub(super) struct Josa {
    pub(super) form: &'static str,
    pub(super) role: Role,
    /// The pair it belongs to; none when the form never changes.
    pair: Option<&'static Pair>,
}

static FORMS: LazyLock<HashMap<&'static str, Josa>> = LazyLock::new(|| {
    let mut forms = HashMap::new();
    for pair in PAIRS {
        for form in [pair.after_consonant, pair.after_vowel] {
            let role = pair.role;
            let pair = Some(pair);
            forms.insert(form, Josa { form, role, pair });
        }
    }
    for &(form, role) in FIXED {
        let pair = None;
        forms.insert(form, Josa { form, role, pair });
    }
    forms
});

/// Splits a word into what may be a noun and its particle: the longest particle that agrees with
/// the sound before it and leaves at least two syllables (or one Latin letter).
pub(super) fn split(word: &str) -> Option<(&str, &'static Josa)> {
    if WHOLE.contains(&word) || WHOLE_ENDINGS.iter().any(|end| word.ends_with(end)) {
        return None;
    }
    let starts: Vec<usize> = word
        .char_indices()
        .rev()
        .take(4)
        .map(|(at, _)| at)
        .collect();
    for &at in starts.iter().rev() {
        let (stem, form) = word.split_at(at);
        let Some(josa) = FORMS.get(form) else {
            continue;
        };
        let long_enough = stem.chars().nth(1).is_some()
            || stem.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
        // 밖으로 is 밖 with 으로, 올렸으며 a verb.
        let torn = stem.ends_with('으');
        if long_enough && !torn && josa.agrees_with(stem) {
            return Some((stem, josa));
        }
    }
    None
}

/// The particle that is exactly `form`.
pub(super) fn named(form: &str) -> Option<&'static Josa> {
    FORMS.get(form)
}

impl Josa {
    fn agrees_with(&self, stem: &str) -> bool {
        match (self.pair, end_sound(stem)) {
            (None, _) | (_, None) => true,
            (Some(pair), Some(sound)) => pair.form_after(sound) == self.form,
        }
    }

    /// How the particle stands after a blank, without revealing what the blank ends in.
    pub(super) fn after_blank(&self) -> &'static str {
        self.pair.map_or(self.form, |pair| pair.both)
    }

    /// The form that follows `noun`; none when its end cannot be heard from its letters.
    pub(super) fn after(&self, noun: &str) -> Option<&'static str> {
        match self.pair {
            None => Some(self.form),
            Some(pair) => Some(pair.form_after(end_sound(noun)?)),
        }
    }
}

impl Pair {
    fn form_after(&self, sound: Sound) -> &'static str {
        match sound {
            Sound::Vowel => self.after_vowel,
            Sound::Rieul if self.rieul_as_vowel => self.after_vowel,
            Sound::Rieul | Sound::Consonant => self.after_consonant,
        }
    }
}

/// What `word` ends in when it is read aloud; none where the spelling does not say.
pub(super) fn end_sound(word: &str) -> Option<Sound> {
    let last = word.chars().rev().find(|c| c.is_alphanumeric())?;
    if is_hangul(last) {
        return Some(match (last as u32 - '가' as u32) % 28 {
            0 => Sound::Vowel,
            8 => Sound::Rieul,
            _ => Sound::Consonant,
        });
    }
    match last {
        '2' | '4' | '5' | '9' => Some(Sound::Vowel),
        '1' | '7' | '8' => Some(Sound::Rieul),
        '0' | '3' | '6' => Some(Sound::Consonant),
        'L' | 'R' => Some(Sound::Rieul),
        'M' | 'N' => Some(Sound::Consonant),
        'A'..='Z' => Some(Sound::Vowel),
        _ => None,
    }
}

/// The form of a paired particle that fits `word`; both forms where that cannot be known.
pub(super) fn after(word: &str, form: &'static str) -> &'static str {
    named(form).map_or(form, |josa| josa.after(word).unwrap_or(josa.after_blank()))
}

#[cfg(test)]
mod tests;
