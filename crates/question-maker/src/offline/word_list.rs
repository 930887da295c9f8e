//! Lists of words that are asked for every word of a text: split once, then one look each.

use std::{collections::HashSet, sync::LazyLock};

/// The letters of the longest ending in a list.
const LONGEST_ENDING: usize = 6;

/// Words between spaces.
pub(super) struct WordList(LazyLock<HashSet<&'static str>>);

impl WordList {
    pub(super) const fn new(split: fn() -> HashSet<&'static str>) -> Self {
        Self(LazyLock::new(split))
    }

    /// Whether `word` is in the list.
    pub(super) fn has(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    /// Whether `word` ends in a word of the list, and has letters before it.
    pub(super) fn ends(&self, word: &str) -> bool {
        word.char_indices()
            .rev()
            .take(LONGEST_ENDING)
            .any(|(at, _)| at > 0 && self.has(&word[at..]))
    }
}

/// A [`WordList`] of a text.
macro_rules! word_list {
    ($list:expr) => {
        $crate::offline::word_list::WordList::new(|| $list.split_whitespace().collect())
    };
}
pub(super) use word_list;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_no_whole_word_and_a_word_is_no_ending() {
        static LIST: WordList = word_list!("산맥 대학");
        assert!(LIST.has("산맥") && !LIST.has("태백산맥"));
        assert!(LIST.ends("태백산맥") && !LIST.ends("산맥") && !LIST.ends("맥"));
    }
}
