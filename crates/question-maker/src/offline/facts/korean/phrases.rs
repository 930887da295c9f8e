//! The terms, names and titles of one sentence, each as long as its words belong together.

use super::{
    super::{FactKind, Facts, Found, Part},
    Lexicon,
    eojeol::{Eojeol, words},
    lists,
};
use crate::offline::josa::Role;

impl Lexicon {
    /// The facts of one sentence, in their order.
    pub(in super::super::super) fn facts(&self, text: &str) -> Facts {
        let words = words(text);
        let definition = self.definition(text, &words);
        let mut found: Vec<Found> = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let reading = self.read(text, word);
            let heads_on = reading.josa.is_none() && !word.stops;
            if word.quote.is_none() && heads_on && !ends_a_phrase(text, &words, index) {
                continue;
            }
            let first = if word.quote.is_some() {
                index
            } else {
                self.extend(text, &words, index)
            };
            if word.quote.is_none()
                && (self.is_half(text, &words, first)
                    || !reading.text.starts_with(char::is_alphabetic))
            {
                continue;
            }
            let start = if first < index {
                words[first].core.start
            } else {
                reading.noun.start
            };
            let answer = start..reading.noun.end;
            let phrase = &text[answer.clone()];
            let defined = definition.as_ref().is_some_and(|d| d.subject == answer);
            if !defined && !self.is_askable(phrase, reading.text, word, first < index) {
                continue;
            }
            let blank_end = word.gloss.as_ref().map_or(answer.end, |gloss| gloss.end);
            found.push(Found {
                blank: answer.start..if word.quote.is_some() {
                    answer.end
                } else {
                    blank_end
                },
                kind: self.kind(phrase, word),
                unit: String::new(),
                part: if defined {
                    Part::Defined
                } else {
                    self.part(text, &words, first, index)
                },
                answer,
            });
        }
        Facts { found, definition }
    }

    /// The first word of the noun phrase that ends at `index`.
    pub(super) fn extend(&self, text: &str, words: &[Eojeol], index: usize) -> usize {
        let mut first = index;
        let mut next = self.read(text, &words[index]).text;
        while first > 0 && index - first < 3 {
            let word = &words[first - 1];
            let reading = self.read(text, word);
            if reading.josa.is_some()
                || word.stops
                || word.is_certain()
                || !self.joins(reading.text, next)
            {
                break;
            }
            next = reading.text;
            first -= 1;
        }
        first
    }

    /// Whether a word before `first` that could not be joined is part of the term all the same.
    fn is_half(&self, text: &str, words: &[Eojeol], first: usize) -> bool {
        let Some(before) = first.checked_sub(1).map(|index| &words[index]) else {
            return false;
        };
        let reading = self.read(text, before);
        let verb_like = lists::ends_adnominal(reading.text) || lists::ends_connective(reading.text);
        // 도메인 이름 시스템: a sentence does not begin with what something is.
        let whole = &text[before.core.clone()];
        let starts = first == 1
            && whole
                .strip_suffix('인')
                .is_some_and(|noun| noun.chars().nth(1).is_some() && !self.is_noun(noun));
        (starts || reading.josa.is_none())
            && !before.stops
            && !before.is_certain()
            && (!verb_like || starts)
            && !lists::is_no_noun(reading.text)
            && !lists::is_person_role(reading.text)
            && reading.text.starts_with(char::is_alphabetic)
    }

    /// Whether `word` belongs to the term that goes on with `next`.
    fn joins(&self, word: &str, next: &str) -> bool {
        let whole = word.chars().nth(1).is_some() || self.is_noun(word);
        if lists::is_no_noun(word) || !whole || !word.starts_with(char::is_alphabetic) {
            return false;
        }
        // 물과: too short to be taken apart, and no noun as a whole.
        let with_josa = word.chars().count() == 2
            && word.ends_with([
                '과', '와', '은', '는', '이', '가', '을', '를', '의', '에', '로', '도', '만',
            ]);
        let with_long_josa = ["으로", "에서", "에게", "까지", "부터", "에는", "에도"]
            .iter()
            .any(|end| word.ends_with(end));
        if (with_josa || with_long_josa) && !self.is_noun(word) {
            return false;
        }
        // 천문학자 이순지: what someone is does not belong to the name.
        if lists::is_person_role(word) && self.persons.contains(next) {
            return false;
        }
        let verb_like = lists::ends_adnominal(word) || lists::ends_connective(word);
        self.is_noun(word) || !verb_like
    }

    fn is_askable(&self, phrase: &str, head: &str, word: &Eojeol, compound: bool) -> bool {
        let length = phrase.chars().count();
        if word.quote.is_some() {
            return (2..=20).contains(&length) && !phrase.ends_with(['.', '다', '?']);
        }
        if !(2..=20).contains(&length)
            || phrase.starts_with(|c: char| c.is_ascii_digit())
            || phrase.split(' ').any(lists::is_verb_form)
        {
            return false;
        }
        if compound {
            return self.is_noun(head) && !lists::is_position(phrase);
        }
        let evidence = self.nouns.get(phrase).copied().unwrap_or_default();
        // A noun that the text mostly uses as a verb is no term of it.
        let action = evidence.verb > 0 && evidence.sure - evidence.verb < 3;
        self.persons.contains(phrase)
            || (self.is_noun(phrase) && !lists::is_general(phrase) && !action)
    }

    fn kind(&self, phrase: &str, word: &Eojeol) -> FactKind {
        if matches!(word.quote, Some('『' | '「' | '《' | '〈')) {
            FactKind::Title
        } else if phrase
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        {
            FactKind::Acronym
        } else if self.persons.contains(phrase) && !self.things.contains(phrase) {
            FactKind::Person
        } else {
            FactKind::Term
        }
    }

    fn part(&self, text: &str, words: &[Eojeol], first: usize, index: usize) -> Part {
        let role = self.read(text, &words[index]).josa.map(|josa| josa.role);
        let follows_its_like = first > 0 && {
            let before = &words[first - 1];
            let josa = self.read(text, before).josa;
            josa.is_some_and(|josa| josa.role == Role::And) || (josa.is_none() && before.stops)
        };
        if role == Some(Role::And) || role.is_none() || follows_its_like {
            return Part::Listed;
        }
        let owned = first > 0
            && self
                .read(text, &words[first - 1])
                .josa
                .is_some_and(|josa| josa.role == Role::Of);
        let called = role == Some(Role::Called)
            && words.get(index + 1).is_some_and(|next| {
                let verb = &text[next.core.clone()];
                [
                    "한다",
                    "부른다",
                    "불렀다",
                    "불린다",
                    "일컫",
                    "하며",
                    "하고",
                    "부르",
                ]
                .iter()
                .any(|start| verb.starts_with(start))
            });
        match role {
            _ if called => Part::Called,
            _ if owned => Part::Other,
            Some(Role::Topic | Role::Meaning) => Part::Topic,
            Some(Role::Subject) if first <= 1 => Part::Topic,
            _ => Part::Other,
        }
    }
}

/// A bare noun that no noun follows, as in `신숙주 같은`.
fn ends_a_phrase(text: &str, words: &[Eojeol], index: usize) -> bool {
    words.get(index + 1).is_some_and(|next| {
        matches!(
            &text[next.core.clone()],
            "같은" | "등" | "등의" | "등이" | "등을" | "때" | "이후" | "이전"
        )
    })
}
