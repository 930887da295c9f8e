//! Facts of Korean sentences.
//!
//! Without a dictionary, the document itself shows what is a noun: whatever stands with 를, 에서 or 의, or
//! with several different particles. [`Lexicon::learn`] reads all sentences once for that;
//! [`Lexicon::facts`] then finds the terms, names and titles of each.

use std::collections::{HashMap, HashSet};

use tokio_util::sync::CancellationToken;

mod definition;
mod eojeol;
mod lists;
mod persons;
mod phrases;

use self::eojeol::{Eojeol, words};
use crate::GenerationError;
use crate::offline::{
    check, guarded,
    josa::{self, Josa, Role},
    language::is_hangul,
};

/// How often a word was used as a noun.
#[derive(Debug, Default, Clone, Copy)]
struct Evidence {
    roles: u16,
    /// Uses that only a noun has.
    sure: u32,
    /// Uses as part of a verb: 제어하다.
    verb: u32,
}

impl Evidence {
    fn strength(self) -> u32 {
        self.sure * 2 + self.roles.count_ones()
    }
}

/// What one document taught about its words.
#[derive(Debug, Default)]
pub(in super::super) struct Lexicon {
    nouns: HashMap<String, Evidence>,
    persons: HashSet<String>,
    /// What the text says is a thing, whatever it looks like.
    things: HashSet<String>,
}

/// A word as the lexicon reads it.
struct Reading<'a> {
    noun: std::ops::Range<usize>,
    text: &'a str,
    josa: Option<&'static Josa>,
}

impl Lexicon {
    /// Reads the Korean sentences of a document.
    ///
    /// # Errors
    /// When `cancel` is triggered meanwhile.
    pub(in super::super) fn learn<'a>(
        sentences: impl Iterator<Item = &'a str> + Clone,
        cancel: &CancellationToken,
    ) -> Result<Self, GenerationError> {
        let mut lexicon = Self::default();
        for text in sentences.clone() {
            check(cancel)?;
            // A sentence that cannot be read teaches nothing.
            let _ = guarded(|| {
                for word in words(text) {
                    lexicon.count(text, &word);
                }
            });
        }
        lexicon.learn_persons(sentences, cancel)?;
        Ok(lexicon)
    }

    fn count(&mut self, text: &str, word: &Eojeol) {
        if let Some(noun) = lists::of_verb(&text[word.core.clone()]) {
            let evidence = self.nouns.entry(noun.to_owned()).or_default();
            evidence.verb += 1;
            evidence.sure += 1;
        }
        let Some((stem, josa)) = &word.split else {
            return;
        };
        let noun = &text[stem.clone()];
        let verbal = lists::ends_verbal(noun) && !word.is_certain();
        let sure = match josa.role {
            Role::Topic | Role::Subject | Role::Also | Role::Is => word.is_certain(),
            // 강제로, 실제로: often an adverb.
            Role::By => false,
            // 데이크스트라는: a noun in 라 with 는, or a noun with 라는.
            Role::Meaning | Role::Called => josa.form.starts_with('이'),
            Role::Object if josa.form == "를" => {
                !matches!(noun, "다" | "모" | "이" | "오" | "부" | "누")
            }
            _ => true,
        };
        let evidence = self.nouns.entry(noun.to_owned()).or_default();
        let is_verb_ending = matches!(josa.form, "고" | "며" | "나" | "라" | "인");
        if !is_verb_ending {
            evidence.roles |= 1 << (josa.role as u16);
        }
        if (sure && !verbal && !is_verb_ending) || word.is_certain() || !noun.starts_with(is_hangul)
        {
            evidence.sure += 1;
        }
    }

    fn is_noun(&self, word: &str) -> bool {
        if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return word.len() > 1;
        }
        if !word.starts_with(is_hangul) || lists::is_no_noun(word) {
            return false;
        }
        self.nouns.get(word).is_some_and(|evidence| {
            evidence.sure > 0 || (evidence.roles.count_ones() >= 2 && !lists::ends_verbal(word))
        })
    }

    fn read<'a>(&self, text: &'a str, word: &Eojeol) -> Reading<'a> {
        let strength = |w: &str| self.nouns.get(w).copied().unwrap_or_default().strength();
        if let Some((stem, josa)) = &word.split {
            let whole = &text[word.core.clone()];
            // A bracket or a straight quote between noun and particle: nothing to be torn apart.
            if josa.form == "라는"
                && !word.is_certain()
                && let Some(topic) = josa::named("는")
            {
                let longer = stem.start..stem.end + "라".len();
                if strength(&text[longer.clone()]) + 1 >= strength(&text[stem.clone()]) {
                    return Reading {
                        text: &text[longer.clone()],
                        noun: longer,
                        josa: Some(topic),
                    };
                }
            }
            if word.is_certain() || strength(&text[stem.clone()]) >= strength(whole) {
                return Reading {
                    noun: stem.clone(),
                    text: &text[stem.clone()],
                    josa: Some(josa),
                };
            }
        }
        Reading {
            noun: word.core.clone(),
            text: &text[word.core.clone()],
            josa: None,
        }
    }
}
