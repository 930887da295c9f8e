//! A text as the generator sees it: statements, the facts in them, and where else each fact stands.

use std::collections::{HashMap, HashSet};

use tokio_util::sync::CancellationToken;

use super::{
    check,
    facts::{Definition, FactKind, Facts, Found, Part, english, korean, numbers},
    guarded,
    language::Language,
    lines, score, sentences,
    sort::Sort,
    statements::{Statement, statement},
    words::{Vocabulary, WordId},
};
use crate::{GenerationError, validation::comparable};

/// A statement of the text.
#[derive(Debug)]
pub(super) struct Sentence {
    pub(super) text: String,
    /// Where it begins without a leading connective.
    pub(super) start: usize,
    pub(super) language: Language,
    pub(super) mentions: Vec<Mention>,
    pub(super) definition: Option<Definition>,
    /// The words that carry meaning, sorted.
    pub(super) content: Vec<WordId>,
    /// How much it says about the subject of the text, from 0 to 1.
    pub(super) score: f64,
    /// It points at a neighbour: "this process", "그는".
    pub(super) leans: bool,
    /// `text` as compared: no white space, folded case.
    pub(super) comparable: String,
}

/// A fact in a sentence.
#[derive(Debug)]
pub(super) struct Mention {
    /// Its index in [`Document::facts`].
    pub(super) fact: usize,
    pub(super) found: Found,
}

/// A fact of the document, with all the places where it stands.
#[derive(Debug)]
pub(super) struct Fact {
    /// As it stands in the text.
    pub(super) surface: String,
    pub(super) comparable: String,
    pub(super) kind: FactKind,
    pub(super) unit: String,
    pub(super) language: Language,
    pub(super) sentences: Vec<usize>,
    /// What the text says it is, in one word.
    pub(super) genus: Option<String>,
    /// English: seen after a, an or the.
    pub(super) with_article: bool,
    /// A name, a title, or what a sentence of the text is about; no noun in passing.
    pub(super) stands_out: bool,
    pub(super) sort: Sort,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) sentences: Vec<Sentence>,
    pub(super) facts: Vec<Fact>,
    by_kind: HashMap<(FactKind, Language), Vec<usize>>,
    /// Sentences that a mistake of ours kept from being read.
    #[cfg(test)]
    pub(super) unreadable: usize,
}

/// More facts of a kind than this are not compared with each other.
const MOST_RIVALS: usize = 300;

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    /// When `cancel` is triggered meanwhile.
    pub(super) fn read(text: &str, cancel: &CancellationToken) -> Result<Self, GenerationError> {
        let paragraphs = lines::paragraphs(text, cancel)?;
        let mut seen = HashSet::new();
        let mut statements = Vec::new();
        for paragraph in &paragraphs {
            check(cancel)?;
            let found = sentences::split(paragraph, cancel)?
                .into_iter()
                .filter_map(statement);
            statements.extend(found.filter(|s| seen.insert(comparable(s.text))));
        }
        let of = |language| {
            statements
                .iter()
                .filter(move |s| s.language == language)
                .map(|s| &s.text[s.start..])
        };
        let korean = korean::Lexicon::learn(of(Language::Korean), cancel)?;
        let english = english::Lexicon::learn(of(Language::English), cancel)?;

        let mut builder = Builder::default();
        for (index, statement) in statements.iter().enumerate() {
            if index % 256 == 0 {
                check(cancel)?;
            }
            let body = &statement.text[statement.start..];
            let facts = guarded(|| {
                let mut facts = match statement.language {
                    Language::Korean => korean.facts(body),
                    Language::English => english.facts(body),
                };
                add_numbers(body, &mut facts, numbers::find(body, statement.language));
                facts
            });
            let facts = facts.unwrap_or_else(|| builder.without_facts());
            builder.add(statement, facts);
        }
        builder.finish(cancel)
    }

    /// Facts of one kind, the most frequent first.
    pub(super) fn of_kind(&self, kind: FactKind, language: Language) -> &[usize] {
        self.by_kind
            .get(&(kind, language))
            .map_or(&[], Vec::as_slice)
    }

    /// The fact of a mention.
    pub(super) fn fact(&self, mention: &Mention) -> &Fact {
        &self.facts[mention.fact]
    }
}

/// Numbers win over terms that overlap them.
fn add_numbers(text: &str, facts: &mut Facts, numbers: Vec<Found>) {
    facts.found.retain(|found| {
        numbers
            .iter()
            .all(|n| n.answer.end <= found.blank.start || found.blank.end <= n.answer.start)
    });
    // "A rule that two devices follow": the number is not what a definition is about.
    let defines = facts.definition.is_some();
    let counts = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    facts.found.extend(
        numbers
            .into_iter()
            .filter(|n| !defines || counts(&text[n.answer.clone()])),
    );
    facts.found.sort_by_key(|found| found.answer.start);
}

#[derive(Default)]
struct Builder {
    sentences: Vec<Sentence>,
    facts: Vec<Fact>,
    by_name: HashMap<String, usize>,
    vocabulary: Vocabulary,
    #[cfg(test)]
    unreadable: usize,
}

impl Builder {
    /// A sentence whose reading panicked is a sentence without facts.
    fn without_facts(&mut self) -> Facts {
        #[cfg(test)]
        {
            self.unreadable += 1;
        }
        Facts::default()
    }

    fn add(&mut self, statement: &Statement<'_>, facts: Facts) {
        let Statement {
            text,
            start,
            language,
        } = *statement;
        let index = self.sentences.len();
        let shift = |range: &std::ops::Range<usize>| range.start + start..range.end + start;
        let definition = facts.definition.map(|definition| Definition {
            subject: shift(&definition.subject),
            predicate: shift(&definition.predicate),
            genus: definition.genus,
        });
        let mut mentions: Vec<Mention> = Vec::new();
        for found in facts.found {
            let found = Found {
                answer: shift(&found.answer),
                blank: shift(&found.blank),
                ..found
            };
            let genus = definition
                .as_ref()
                .filter(|definition| definition.subject == found.answer)
                .map(|definition| definition.genus.clone());
            let fact = self.fact(text, &found, language, index, genus);
            mentions.push(Mention { fact, found });
        }
        let content = self.vocabulary.content(&text[start..], language);
        self.sentences.push(Sentence {
            comparable: comparable(text),
            text: text.to_owned(),
            start,
            language,
            mentions,
            definition,
            content,
            score: 0.0,
            leans: score::leans_on_a_neighbour(text, language),
        });
    }

    fn fact(
        &mut self,
        text: &str,
        found: &Found,
        language: Language,
        sentence: usize,
        genus: Option<String>,
    ) -> usize {
        let surface = &text[found.answer.clone()];
        let name = comparable(surface);
        let key = match found.kind {
            FactKind::Year | FactKind::Date | FactKind::Number => {
                format!("{name} {:?} {}", found.kind, found.unit)
            }
            _ => name.clone(),
        };
        let facts = &mut self.facts;
        let index = *self.by_name.entry(key).or_insert_with(|| {
            facts.push(Fact {
                surface: surface.to_owned(),
                comparable: name,
                kind: found.kind,
                unit: found.unit.clone(),
                language,
                sentences: Vec::new(),
                genus: None,
                with_article: false,
                stands_out: false,
                sort: Sort::Thing,
            });
            facts.len() - 1
        });
        let fact = &mut self.facts[index];
        if fact.sentences.last() != Some(&sentence) {
            fact.sentences.push(sentence);
        }
        // The form inside a sentence is the true one: a first word is a capital anyway.
        if fact.surface != surface && surface.starts_with(char::is_lowercase) {
            fact.surface = surface.to_owned();
        }
        if found.kind == FactKind::Person
            && matches!(fact.kind, FactKind::Name | FactKind::Place | FactKind::Term)
        {
            fact.kind = FactKind::Person;
        }
        fact.genus = fact.genus.take().or(genus);
        // A gloss in brackets is a part of the blank.
        fact.stands_out |= found.kind != FactKind::Term
            || matches!(found.part, Part::Defined | Part::Called | Part::Topic)
            || found.blank.end > found.answer.end;
        let before = text[..found.answer.start].trim_end();
        fact.with_article |= ["a", "an", "the", "A", "An", "The"]
            .iter()
            .any(|article| before == *article || before.ends_with(&format!(" {article}")));
        index
    }

    fn finish(mut self, cancel: &CancellationToken) -> Result<Document, GenerationError> {
        score::rate(&mut self.sentences, &self.vocabulary);
        for (index, fact) in self.facts.iter_mut().enumerate() {
            if index % 1024 == 0 {
                check(cancel)?;
            }
            fact.sort = Sort::of(&fact.surface, fact.kind, fact.genus.as_deref());
            fact.stands_out |= fact.sort == Sort::Site;
        }
        let mut by_kind: HashMap<(FactKind, Language), Vec<usize>> = HashMap::new();
        for (index, fact) in self.facts.iter().enumerate() {
            by_kind
                .entry((fact.kind, fact.language))
                .or_default()
                .push(index);
        }
        for facts in by_kind.values_mut() {
            facts.sort_by_key(|f| (std::cmp::Reverse(self.facts[*f].sentences.len()), *f));
            facts.truncate(MOST_RIVALS);
        }
        Ok(Document {
            sentences: self.sentences,
            facts: self.facts,
            by_kind,
            #[cfg(test)]
            unreadable: self.unreadable,
        })
    }
}
