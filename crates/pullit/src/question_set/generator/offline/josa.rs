//! Korean particles: taking them off a noun, hiding which of two forms a blank would need, and
//! choosing the form that a noun takes.
//!
//! No dictionary: a particle is recognised by its letters and by whether its form agrees with the
//! sound before it. Whether what remains is a noun at all is judged elsewhere, by how the whole
//! document uses it.

use std::{collections::HashMap, sync::LazyLock};

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

#[derive(Debug)]
struct Pair {
    after_consonant: &'static str,
    after_vowel: &'static str,
    /// How a blank shows both forms at once.
    both: &'static str,
    /// 로 and its relatives, which take ㄹ for a vowel.
    rieul_as_vowel: bool,
    role: Role,
}

const fn pair(c: &'static str, v: &'static str, both: &'static str, role: Role) -> Pair {
    Pair {
        after_consonant: c,
        after_vowel: v,
        both,
        rieul_as_vowel: false,
        role,
    }
}

const fn by(c: &'static str, v: &'static str, both: &'static str) -> Pair {
    Pair {
        after_consonant: c,
        after_vowel: v,
        both,
        rieul_as_vowel: true,
        role: Role::By,
    }
}

static PAIRS: &[Pair] = &[
    pair("은", "는", "은(는)", Role::Topic),
    pair("이", "가", "이(가)", Role::Subject),
    pair("을", "를", "을(를)", Role::Object),
    pair("과", "와", "과(와)", Role::And),
    pair("과는", "와는", "과(와)는", Role::And),
    pair("과의", "와의", "과(와)의", Role::And),
    pair("과도", "와도", "과(와)도", Role::And),
    pair("이나", "나", "(이)나", Role::And),
    pair("이란", "란", "(이)란", Role::Meaning),
    pair("이라는", "라는", "(이)라는", Role::Meaning),
    pair("이라고", "라고", "(이)라고", Role::Called),
    pair("이라", "라", "(이)라", Role::Called),
    pair("이었다", "였다", "이었다(였다)", Role::Is),
    pair("이었으며", "였으며", "이었으며(였으며)", Role::Is),
    pair("이며", "며", "(이)며", Role::Is),
    pair("이고", "고", "(이)고", Role::Is),
    by("으로", "로", "(으)로"),
    by("으로는", "로는", "(으)로는"),
    by("으로도", "로도", "(으)로도"),
    by("으로서", "로서", "(으)로서"),
    by("으로써", "로써", "(으)로써"),
    by("으로부터", "로부터", "(으)로부터"),
    by("으로의", "로의", "(으)로의"),
];

static FIXED: &[(&str, Role)] = &[
    ("의", Role::Of),
    ("에", Role::At),
    ("에는", Role::At),
    ("에도", Role::At),
    ("에만", Role::At),
    ("에서", Role::At),
    ("에서는", Role::At),
    ("에서도", Role::At),
    ("에서의", Role::At),
    ("까지", Role::At),
    ("까지는", Role::At),
    ("까지의", Role::At),
    ("부터", Role::At),
    ("부터는", Role::At),
    ("에게", Role::Animate),
    ("에게는", Role::Animate),
    ("에게서", Role::Animate),
    ("께서", Role::Animate),
    ("께서는", Role::Animate),
    ("도", Role::Also),
    ("만", Role::Also),
    ("만을", Role::Also),
    ("만이", Role::Also),
    ("만의", Role::Also),
    ("보다", Role::Also),
    ("처럼", Role::Also),
    ("마다", Role::Also),
    ("뿐", Role::Also),
    ("이다", Role::Is),
    ("인", Role::Is),
    ("이지만", Role::Is),
    ("이므로", Role::Is),
    ("이자", Role::Is),
    ("입니다", Role::Is),
];

/// Words that look like noun and particle and are one noun: 제도 is not 제 with 도. What other
/// words use them as an ending is left to the document: 사회의 is no 회의.
static WHOLE: &[&str] = &[
    "회의",
    "강의",
    "정의",
    "협의",
    "합의",
    "도로",
    "회로",
    "수로",
    "고속도로",
    "각도",
    "제도",
    "지도",
    "철도",
    "반도",
    "강도",
    "정도",
    "태도",
    "용도",
    "척도",
    "감도",
    "성과",
    "학과",
    "교과",
    "통과",
    "확인",
    "원인",
    "개인",
    "요인",
    "주인",
    "시인",
    "상인",
    "군인",
    "승인",
    "할인",
    "차이",
    "사이",
    "마을",
    "가을",
    "노을",
    "장치",
    "나이",
    "누구나",
    "언제나",
    "하나",
];

/// Endings that hardly ever are noun and particle.
static WHOLE_ENDINGS: &[&str] = &[
    "주의", "효과", "결과", "온도", "속도", "농도", "밀도", "습도", "궤도", "빈도", "순위",
];

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

    /// How the particle stands after a blank, without telling what the blank ends in.
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

/// What `word` ends in when it is read aloud; none where the spelling does not tell.
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
mod tests {
    use super::*;

    fn parts(word: &str) -> Option<(&str, &str)> {
        split(word).map(|(stem, josa)| (stem, josa.form))
    }

    #[test]
    fn the_longest_particle_that_agrees_comes_off() {
        assert_eq!(parts("측우기는"), Some(("측우기", "는")));
        assert_eq!(parts("집현전에서는"), Some(("집현전", "에서는")));
        assert_eq!(parts("커널로부터"), Some(("커널", "로부터")));
        assert_eq!(parts("CPU의"), Some(("CPU", "의")));
    }

    #[test]
    fn a_form_that_does_not_agree_is_part_of_the_noun() {
        assert_eq!(parts("예술가"), None);
        assert_eq!(parts("민주주의"), None);
        assert_eq!(parts("제도"), None);
        assert_eq!(parts("온도"), None);
    }

    #[test]
    fn a_blank_shows_both_forms() {
        assert_eq!(named("는").unwrap().after_blank(), "은(는)");
        assert_eq!(named("으로").unwrap().after_blank(), "(으)로");
        assert_eq!(named("에서").unwrap().after_blank(), "에서");
    }

    #[test]
    fn the_form_follows_the_last_sound() {
        let after = |noun, form| named(form).unwrap().after(noun);
        assert_eq!(after("장영실", "는"), Some("은"));
        assert_eq!(after("세종", "가"), Some("이"));
        assert_eq!(after("커널", "으로"), Some("로"));
        assert_eq!(after("한양", "로"), Some("으로"));
        assert_eq!(after("CPU", "을"), Some("를"));
        assert_eq!(after("1446", "와"), Some("과"));
        assert_eq!(after("thread", "은"), None);
        assert_eq!(after("페이지 테이블", "란"), Some("이란"));
    }

    #[test]
    fn a_particle_that_cannot_be_known_shows_both_forms() {
        assert_eq!(after("1446", "가"), "이");
        assert_eq!(after("세포", "은"), "는");
        assert_eq!(after("thread", "은"), "은(는)");
    }
}
