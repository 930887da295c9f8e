//! Facts of Korean sentences.
//!
//! Without a dictionary, the document itself tells what is a noun: what takes 를, 에서 or 의, or
//! several different particles. [`Lexicon::learn`] reads all sentences once for that;
//! [`Lexicon::facts`] then finds the terms, names and titles of each.

use std::collections::{HashMap, HashSet};

use super::{
    Definition, FactKind, Facts, Found, Part,
    eojeol::{Eojeol, words},
    korean_words as lists,
};
use crate::question_set::generator::offline::{
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
    pub(in super::super) fn learn<'a>(sentences: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut lexicon = Self::default();
        for text in sentences.clone() {
            for word in words(text) {
                lexicon.count(text, &word);
            }
        }
        lexicon.learn_persons(sentences);
        lexicon
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
            if josa.form == "라는"
                && let Some(topic) = josa::named("는")
            {
                let longer = stem.start..stem.end + "라".len();
                if strength(&text[longer.clone()]) + 1 >= strength(&text[stem.clone()])
                    && !word.is_certain()
                {
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

    fn learn_persons<'a>(&mut self, sentences: impl Iterator<Item = &'a str>) {
        let mut uses: HashMap<String, (u32, bool)> = HashMap::new();
        let mut together = Vec::new();
        let mut kings = HashSet::new();
        for text in sentences {
            let words = words(text);
            if let Some(definition) = self.definition(text, &words) {
                let subject = text[definition.subject].to_owned();
                if lists::is_person_role(&definition.genus) {
                    self.persons.insert(subject);
                } else {
                    self.things.insert(subject);
                }
            }
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
                    && !lists::is_person_role(reading.text);
                if name_like && lists::is_king(reading.text) {
                    kings.insert(reading.text.to_owned());
                }
                if name_like && after_role && role.is_some() {
                    self.persons.insert(reading.text.to_owned());
                }
                if lists::may_be_a_full_name(reading.text) {
                    let entry = uses.entry(reading.text.to_owned()).or_insert((0, true));
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
                    together.push((reading.text.to_owned(), next.text.to_owned()));
                }
            }
        }
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
                    let short = (2..=4).contains(&new.chars().count());
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
    }

    /// Who did something in a year: `모건은 1910년에 … 밝혔다`.
    fn agent<'a>(&self, text: &'a str, words: &[Eojeol], index: usize) -> Option<&'a str> {
        let year = &text[words.get(index + 1)?.core.clone()];
        let digits = year.strip_suffix("년").or(year.strip_suffix("년에"))?;
        let verb = &text[words.last()?.core.clone()];
        let passive = ["되었", "됐", "졌", "어났", "이었", "있었", "되었"]
            .iter()
            .any(|part| verb.contains(part));
        let past = ["다", "습니다"].iter().any(|end| {
            let stem = verb.strip_suffix(end).unwrap_or_default();
            stem.chars()
                .next_back()
                .is_some_and(|c| is_hangul(c) && (c as u32 - '가' as u32) % 28 == 20)
        });
        let first = self.extend(text, words, index);
        let joined = first == 0
            || self
                .read(text, &words[first - 1])
                .josa
                .is_some_and(|josa| josa.role == Role::And);
        let name = &text[words[first].core.start..self.read(text, &words[index]).noun.end];
        let fits = digits.len() == 4 && digits.parse::<u16>().is_ok() && past && !passive && joined;
        (fits && !self.things.contains(name) && !lists::is_general(name)).then_some(name)
    }

    /// The facts of one sentence, in their order.
    pub(in super::super) fn facts(&self, text: &str) -> Facts {
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
    fn extend(&self, text: &str, words: &[Eojeol], index: usize) -> usize {
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
        reading.josa.is_none()
            && !before.stops
            && !before.is_certain()
            && !verb_like
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
        if !(2..=20).contains(&length) || phrase.starts_with(|c: char| c.is_ascii_digit()) {
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

    /// `X은/는 … Y이다.`, `X(이)란 … 말한다.`
    fn definition(&self, text: &str, words: &[Eojeol]) -> Option<Definition> {
        let head = words.iter().take(4).position(|word| {
            let josa = self.read(text, word).josa;
            josa.is_some_and(|josa| matches!(josa.role, Role::Topic | Role::Meaning))
        })?;
        let word = &words[head];
        let reading = self.read(text, word);
        let meaning = reading
            .josa
            .is_some_and(|josa| josa.role == Role::Meaning && josa.form.ends_with('란'));
        let genus = genus(text, words)?;
        let first = if word.quote.is_some() {
            head
        } else {
            self.extend(text, words, head)
        };
        let owned = first == 1
            && self
                .read(text, &words[0])
                .josa
                .is_some_and(|josa| josa.form == "의")
            && word.quote.is_none();
        let starts = first == 0 || owned || (first == 1 && word.quote.is_some());
        let plain = words[..head].iter().all(|word| {
            let reading = self.read(text, word);
            reading.josa.is_none() && !word.stops && !lists::is_no_noun(reading.text)
        });
        let adverbial = words[..head].iter().any(|word| {
            let word = &text[word.core.clone()];
            (lists::ends_adnominal(word) || lists::ends_connective(word)) && !self.is_noun(word)
        });
        if !(starts || (plain && !adverbial)) {
            return None;
        }
        let start = words[0].core.start;
        let subject = if word.quote.is_some() {
            reading.noun.clone()
        } else {
            start..reading.noun.end
        };
        let name = &text[subject.clone()];
        let askable =
            name.chars().count() >= 2 && !lists::is_general(name) && !lists::is_no_noun(name);
        let second_topic = words[head + 1..].iter().any(|word| {
            let reading = self.read(text, word);
            reading.josa.is_some_and(|j| j.role == Role::Topic) && self.is_noun(reading.text)
        });
        let goes_on = words
            .iter()
            .enumerate()
            .skip(head + 1)
            .any(|(index, word)| {
                let josa = self.read(text, word).josa;
                let after_comma = words[head + 1..index].iter().any(|word| word.stops);
                after_comma && josa.is_some_and(|josa| josa.role == Role::Topic)
            });
        if !askable || (second_topic && !meaning) || goes_on || is_unfit_genus(&genus) {
            return None;
        }
        let after = words.get(head + 1)?;
        let predicate_start = text[..after.core.start]
            .rfind(' ')
            .map_or(after.core.start, |space| space + 1);
        Some(Definition {
            subject,
            predicate: predicate_start..text.len(),
            genus,
        })
    }
}

const DEFINING: &[&str] = &[
    "말한다",
    "뜻한다",
    "의미한다",
    "가리킨다",
    "일컫는다",
    "말합니다",
    "뜻합니다",
    "의미합니다",
    "가리킵니다",
];

/// What the sentence says its subject is; none when it says no such thing.
fn genus(text: &str, words: &[Eojeol]) -> Option<String> {
    let last = words.last()?;
    let word = &text[last.core.clone()];
    for copula in ["이었습니다", "였습니다", "이었다", "였다", "입니다", "이다"]
    {
        if let Some(noun) = word.strip_suffix(copula) {
            let verb = noun.chars().nth(1).is_none() && copula.starts_with('였')
                || noun.is_empty()
                || noun.ends_with(['하', '되', '시', '이', '지', '리', '기'])
                    && copula.starts_with('였');
            return (!verb).then(|| noun.to_owned());
        }
    }
    if DEFINING.contains(&word) {
        let object = words.get(words.len().checked_sub(2)?)?;
        let object = &text[object.core.clone()];
        return object.strip_suffix(['을', '를']).map(str::to_owned);
    }
    let noun = word.strip_suffix('다')?;
    let is_thing = [
        "기구", "장치", "구조", "도구", "제도", "학자", "캐시", "절차", "분야", "단위", "이자",
        "요소",
    ];
    is_thing
        .iter()
        .any(|thing| noun.ends_with(thing))
        .then(|| noun.to_owned())
}

fn is_unfit_genus(genus: &str) -> bool {
    genus.ends_with('적')
        || genus.ends_with("때문")
        || matches!(
            genus,
            "것" | "뿐"
                | "셈"
                | "편"
                | "마찬가지"
                | "예정"
                | "정도"
                | "중"
                | "수"
                | "이유"
                | "덕분"
                | "차이"
                | "특징"
                | "목적"
                | "장점"
                | "단점"
                | "원인"
                | "결과"
                | "하나"
                | "필수"
                | "전부"
                | "사실"
        )
        || !genus.starts_with(|c: char| c.is_alphabetic())
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
