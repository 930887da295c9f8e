//! Particles, and words that only look as if they ended in one.

use super::Role;

/// A particle whose form depends on the sound before it.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) after_consonant: &'static str,
    pub(super) after_vowel: &'static str,
    /// How a blank shows both forms at once.
    pub(super) both: &'static str,
    /// 로 and its relatives, which take ㄹ for a vowel.
    pub(super) rieul_as_vowel: bool,
    pub(super) role: Role,
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

/// Particles of two forms.
pub(super) static PAIRS: &[Pair] = &[
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

/// Particles of one form.
pub(super) static FIXED: &[(&str, Role)] = &[
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
pub(super) static WHOLE: &[&str] = &[
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
pub(super) static WHOLE_ENDINGS: &[&str] = &[
    "주의", "효과", "결과", "온도", "속도", "농도", "밀도", "습도", "궤도", "빈도", "순위",
];
