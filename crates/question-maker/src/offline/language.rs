//! Which language a sentence is in, and so which rules apply to it.

/// The languages that questions can be asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Language {
    Korean,
    English,
}

impl Language {
    /// The language of one sentence; none when it is neither, or hardly any words at all.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (mut hangul, mut latin, mut other) = (0usize, 0usize, 0usize);
        for c in text.chars() {
            if is_hangul(c) {
                hangul += 1;
            } else if c.is_ascii_alphabetic() {
                latin += 1;
            } else if c.is_alphabetic() && !is_accented_latin(c) {
                other += 1;
            }
        }
        // A Hangul syllable weighs about as much as two and a half Latin letters.
        let korean = hangul * 5 / 2;
        if other * 2 > hangul + latin {
            None
        } else if hangul >= 6 && korean >= latin {
            Some(Self::Korean)
        } else if latin >= 15 && hangul == 0 {
            Some(Self::English)
        } else {
            None
        }
    }
}

/// A composed Hangul syllable.
pub(super) fn is_hangul(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

fn is_accented_latin(c: char) -> bool {
    ('\u{c0}'..='\u{24f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_korean_sentence_may_contain_latin_terms() {
        let text = "TLB(translation lookaside buffer)는 주소 변환 결과를 담아 두는 캐시이다.";
        assert_eq!(Language::of(text), Some(Language::Korean));
    }

    #[test]
    fn other_scripts_and_bare_numbers_are_no_language_of_ours() {
        assert_eq!(Language::of("光合作用是植物利用光能的过程。"), None);
        assert_eq!(Language::of("12 34 56 78"), None);
        assert_eq!(
            Language::of("Plants take in water from the soil."),
            Some(Language::English)
        );
    }
}
