//! Who is a person: by what stands before a name, by what a name does, by who stands beside it.

use std::collections::{HashMap, HashSet};

use tokio_util::sync::CancellationToken;

use super::{
    Lexicon,
    eojeol::{Eojeol, words},
    lists,
};
use crate::GenerationError;
use crate::offline::{check, guarded, josa::Role, language::is_hangul, sort::is_site};

/// What the sentences say of names before it is known who is a person.
#[derive(Default)]
struct Seen {
    /// How often a name was a first topic, and whether it never was a place.
    uses: HashMap<String, (u32, bool)>,
    /// Names that stand side by side.
    together: Vec<(String, String)>,
    kings: HashSet<String>,
}

impl Lexicon {
    pub(super) fn learn_persons<'a>(
        &mut self,
        sentences: impl Iterator<Item = &'a str>,
        cancel: &CancellationToken,
    ) -> Result<(), GenerationError> {
        let mut seen = Seen::default();
        for text in sentences {
            check(cancel)?;
            // A sentence that cannot be read teaches nothing.
            let _ = guarded(|| self.learn_of_a_sentence(text, &mut seen));
        }
        let Seen {
            uses,
            together,
            kings,
        } = seen;
        // One 순종 may be a pure breed; where several kings are named it is a king.
        if kings.len() > 1 {
            self.persons.extend(kings);
        }
        self.persons.extend(
            uses.into_iter()
                .filter(|(name, (topics, never_a_place))| {
                    *topics > 0 && *never_a_place && !self.things.contains(name)
                })
                .map(|(name, _)| name),
        );
        for _ in 0..2 {
            for (a, b) in &together {
                for (known, new) in [(a, b), (b, a)] {
                    let short = (2..=4).contains(&new.chars().count())
                        && !lists::is_verb_form(new)
                        && !is_site(new);
                    if self.persons.contains(known)
                        && short
                        && !lists::is_general(new)
                        && !self.things.contains(new)
                    {
                        self.persons.insert(new.clone());
                    }
                }
            }
        }
        Ok(())
    }

    fn learn_of_a_sentence(&mut self, text: &str, seen: &mut Seen) {
        let words = words(text);
        if let Some(definition) = self.definition(text, &words) {
            let subject = text[definition.subject].to_owned();
            if lists::is_person_role(&definition.genus) {
                self.persons.insert(subject);
            } else {
                self.things.insert(subject);
            }
        }
        self.learn_a_row_of_names(text, &words);
        for (index, word) in words.iter().enumerate() {
            let reading = self.read(text, word);
            if word.quote.is_some() || !reading.text.starts_with(is_hangul) {
                continue;
            }
            let role = reading.josa.map(|josa| josa.role);
            let after_role = index > 0
                && !words[index - 1].stops
                && lists::is_person_role(&text[words[index - 1].core.clone()]);
            let name_like = (2..=5).contains(&reading.text.chars().count())
                && !lists::is_general(reading.text)
                && !lists::is_verb_form(reading.text)
                && !is_site(reading.text)
                && !lists::is_person_role(reading.text);
            if name_like && lists::is_king(reading.text) {
                seen.kings.insert(reading.text.to_owned());
            }
            if name_like && after_role && role.is_some() {
                self.persons.insert(reading.text.to_owned());
            }
            if name_like
                && lists::may_be_a_full_name(reading.text)
                && !lists::ends_like_a_thing(reading.text)
            {
                let entry = seen
                    .uses
                    .entry(reading.text.to_owned())
                    .or_insert((0, true));
                entry.0 += u32::from(matches!(role, Some(Role::Topic)) && index == 0);
                entry.1 &= !matches!(role, Some(Role::At | Role::By));
            }
            if role == Some(Role::Topic)
                && let Some(agent) = self.agent(text, &words, index)
            {
                self.persons.insert(agent.to_owned());
            }
            let joined = role == Some(Role::And) || (role.is_none() && word.stops);
            if joined
                && name_like
                && let Some(next) = words.get(index + 1)
            {
                let next = self.read(text, next);
                seen.together
                    .push((reading.text.to_owned(), next.text.to_owned()));
            }
        }
    }

    /// Who did something in a year: `모건은 1910년에 … 밝혔다`.
    fn agent<'a>(&self, text: &'a str, words: &[Eojeol], index: usize) -> Option<&'a str> {
        let first = self.extend(text, words, index);
        let year = |at: Option<usize>| {
            at.and_then(|at| words.get(at)).is_some_and(|word| {
                let word = &text[word.core.clone()];
                let digits = word.strip_suffix("년").or(word.strip_suffix("년에"));
                digits.is_some_and(|digits| digits.len() == 4 && digits.parse::<u16>().is_ok())
            })
        };
        // `1969년에 라슬로 벨라디는 …`: the first name may look like a noun with 로.
        let after_a_year = year(first.checked_sub(1)) || year(first.checked_sub(2));
        // The verb of this clause: `리치는 1972년에 … 만들었고, 유닉스는 …`.
        let clause = words[index + 1..].iter().find(|word| word.stops)?;
        let verb = &text[clause.core.clone()];
        let passive = ["되었", "됐", "졌", "어났", "이었", "있었", "되었"]
            .iter()
            .any(|part| verb.contains(part));
        let past = ["다", "습니다", "고", "으며", "는데"].iter().any(|end| {
            let stem = verb.strip_suffix(end).unwrap_or_default();
            stem.chars()
                .next_back()
                .is_some_and(|c| is_hangul(c) && (c as u32 - '가' as u32) % 28 == 20)
        });
        let joined = first == 0
            || after_a_year
            || self
                .read(text, &words[first - 1])
                .josa
                .is_some_and(|josa| josa.role == Role::And);
        let name = &text[words[first].core.start..self.read(text, &words[index]).noun.end];
        let dated = after_a_year || year(Some(index + 1));
        let fits = dated && past && !passive && joined;
        let excluded = self.things.contains(name)
            || lists::is_general(name)
            || lists::is_verb_form(name)
            || is_site(name);
        (fits && !excluded).then_some(name)
    }

    /// `정인지, 신숙주, 성삼문, 박팽년 등`: three full names in a row.
    fn learn_a_row_of_names(&mut self, text: &str, words: &[Eojeol]) {
        let mut row: Vec<String> = Vec::new();
        for word in words {
            let reading = self.read(text, word);
            let like_a_name = lists::may_be_a_full_name(reading.text)
                && !lists::ends_like_a_thing(reading.text)
                && !lists::is_general(reading.text)
                && !lists::is_verb_form(reading.text);
            if like_a_name {
                row.push(reading.text.to_owned());
            }
            if !like_a_name || !word.stops {
                if row.len() >= 3 {
                    self.persons.extend(row.drain(..));
                }
                row.clear();
            }
        }
    }
}
