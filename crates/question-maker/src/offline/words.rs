//! The words of a sentence that carry its meaning, in a form in which inflected words are equal.

use std::collections::HashMap;

use super::{facts::english, josa, language::Language};

/// A word of the document.
pub(super) type WordId = u32;

/// The words of a document and in how many sentences each stands.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    ids: HashMap<String, WordId>,
    sentences: Vec<u32>,
}

impl Vocabulary {
    /// The distinct meaningful words of a sentence, sorted by id, and counts them.
    pub(super) fn content(&mut self, text: &str, language: Language) -> Vec<WordId> {
        let mut content: Vec<WordId> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .filter_map(|word| stem(word, language))
            .map(|stem| self.id(stem))
            .collect();
        content.sort_unstable();
        content.dedup();
        for id in &content {
            self.sentences[*id as usize] += 1;
        }
        content
    }

    /// In how many sentences the word stands.
    pub(super) fn frequency(&self, word: WordId) -> u32 {
        self.sentences[word as usize]
    }

    fn id(&mut self, stem: String) -> WordId {
        let next = self.sentences.len() as WordId;
        let id = *self.ids.entry(stem).or_insert(next);
        if id == next {
            self.sentences.push(0);
        }
        id
    }
}

/// A crude stem, good enough to see that two sentences speak of the same.
fn stem(word: &str, language: Language) -> Option<String> {
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        let digits = word
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(word.len());
        return Some(word[..digits].to_owned());
    }
    match language {
        Language::Korean => {
            let noun = josa::split(word).map_or(word, |(stem, _)| stem);
            let whole = noun.len() < word.len();
            let length = if whole { 4 } else { 2 };
            Some(noun.chars().take(length).collect())
        }
        Language::English => {
            let lower = word.to_lowercase();
            let says_something = lower.len() > 2 && !english::is_function(&lower);
            says_something.then(|| lower.trim_end_matches('s').chars().take(6).collect())
        }
    }
}

/// How much of `a`, leaving out `without`, also stands in `b`: the number of shared words and of
/// those asked for. All three are sorted.
pub(super) fn shared(a: &[WordId], b: &[WordId], without: &[WordId]) -> (usize, usize) {
    let wanted = a.iter().filter(|word| without.binary_search(word).is_err());
    let (mut common, mut total) = (0, 0);
    for word in wanted {
        total += 1;
        common += usize::from(b.binary_search(word).is_ok());
    }
    (common, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflected_words_are_equal_and_function_words_do_not_count() {
        let mut vocabulary = Vocabulary::default();
        let a = vocabulary.content("측우기는 빗물을 잰다.", Language::Korean);
        let b = vocabulary.content("빗물이 측우기에 고인다.", Language::Korean);
        assert_eq!(shared(&a, &b, &[]), (2, 3));
        let a = vocabulary.content("The plants absorbed light.", Language::English);
        let b = vocabulary.content("A plant absorbs the light.", Language::English);
        assert_eq!(shared(&a, &b, &[]), (3, 3));
    }
}
