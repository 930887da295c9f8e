//! Korean sentences that say what something is.

use super::{super::Definition, Lexicon, eojeol::Eojeol, lists};
use crate::offline::josa::Role;

impl Lexicon {
    /// `X은/는 … Y이다.`, `X(이)란 … 말한다.`
    pub(super) fn definition(&self, text: &str, words: &[Eojeol]) -> Option<Definition> {
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
