//! What can be said of Korean words without a dictionary, by their particles and endings.

/// Particles and endings that never stand alone: a line that begins with one goes on with the
/// word before it.
const BOUND: &str = "\
    은 는 을 를 의 에 와 과 로 께 며 고 던 게 면 서 요 까 여 어 아 려 \
    러 으로 에서 에게 께서 로서 로써 으로서 으로써 에서는 에는 에도 에게는 \
    에게서 으로는 로는 까지 까지의 부터 처럼 마다 조차 이다 이며 이고 이라 \
    이라고 이라는 라는 라고 이라도 이자 들 들이 들은 들을 들의 들에게 들과 들도 \
    들로 적 적인 적으로 적이다 적이고 으며 으면 으니 므로 으므로 지만 는데 은데 \
    거나 도록 면서 으면서 려고 으려고 려면 습니다 입니다 니다 에서도 으로도 \
    로부터 으로부터 에만 에서의 이던 과의 와의 로의 으로의 인데";

/// Syllables with which hardly any Korean word begins.
const NEVER_FIRST: &str = "었았였렸겼켰혔렀랐겠셨녔녁뎠졌져째씩쯤릅늡릴린륻";

/// What may be a particle or an ending, or a word of its own: it goes on with a word that is not
/// complete yet.
const PERHAPS_BOUND: &str = "\
    이 가 도 만 한 된 할 될 하는 하고 하여 하며 해 하면 하게 하기 하던 되어 \
    되는 되고 되며 되었다 하였다 했다 한다 된다 됐다 하였으며 되었으며 하였고 \
    되었고 하였으나 되었으나 되자 하자 하지 되지 하려고 시켜 시킨 시키는 시켰다 \
    대로 만큼 뿐 보다 같이 밖에 이나 나 라 인 일 지 진 지는 진다 히 이라면 \
    당한 받은 스러운 로운 롭게 하다 되다 이었다 이었으며 이었고 들어";

/// Words that documents of any subject use, without their particles.
pub(super) const COMMON: &str = include_str!("common_words.txt");

/// Verbs and adjectives of one syllable that describe the next word.
const SHORT_DESCRIBING: &str = "할될볼쓸큰긴";

/// Words of one syllable that stand before others.
const SHORT: &str = "그이저한두세네첫새큰온각더또즉약잘못매및";

/// Longer words that take no particle.
const UNINFLECTED: &str = "\
    가장 다시 함께 매우 모두 동안 오랫동안 대신 바로 서로 이미 아직 다만 또한 \
    그리고 그러나 그래서 따라서 하지만 거의 더욱 특히 주로 스스로 아주 자주 여러 \
    모든 어떤 다른 이런 그런 대부분 각각 위해 대한 대해 통해 따라 관한 또는 \
    혹은 즉시 위한 오늘날 비록 만약 점차 널리 처음 아니라 보기 때문에 이후 이전 \
    우리 현재";

/// Nouns that lean on the word before them, but with a space.
const DEPENDENT: &str = "\
    것 수 등 때 뒤 앞 중 후 전 속 안 데 줄 채 곳 점 바 간 쪽 해 날 번";

/// Ends of words that say that the word is complete, unless the syllable before forbids it.
/// Longest first.
const PARTICLES: &[(&str, Before)] = &[
    ("으로부터", Before::Consonant),
    ("에서는", Before::Any),
    ("에게서", Before::Any),
    ("이라는", Before::Consonant),
    ("으로서", Before::Consonant),
    ("으로써", Before::Consonant),
    ("까지", Before::Any),
    ("부터", Before::Any),
    ("처럼", Before::Any),
    ("에서", Before::Any),
    ("에게", Before::Any),
    ("에는", Before::Any),
    ("에도", Before::Any),
    ("으로", Before::Consonant),
    ("이다", Before::Any),
    ("이며", Before::Any),
    ("이고", Before::Any),
    ("들은", Before::Any),
    ("들을", Before::Any),
    ("들이", Before::Any),
    ("들의", Before::Any),
    ("하여", Before::Any),
    ("하고", Before::Any),
    ("하며", Before::Any),
    ("하는", Before::Any),
    ("되어", Before::Any),
    ("되는", Before::Any),
    ("은", Before::Consonant),
    ("는", Before::Any),
    ("을", Before::Consonant),
    ("를", Before::Vowel),
    ("이", Before::Consonant),
    ("가", Before::Vowel),
    ("과", Before::Consonant),
    ("와", Before::Vowel),
    ("의", Before::Any),
    ("에", Before::Any),
    ("로", Before::Any),
    ("도", Before::Any),
];

/// Endings of verbs and the like that complete a word; too short to strip.
const ENDINGS: &str = "\
    한 된 할 될 던 난 인 고 여 어 아 서 며 면 게 만 지 려 운 해 든 져 \
    진 워 라 낸 른 린 킨 긴 친 은 을 문 쪽 씩";

/// What numbers count.
const COUNTERS: &str = "\
    년 월 일 시 분 초 명 개 장 권 차 번 세기 쪽 도 만 천 백 억 여 세 살 \
    배 척 촌 자 마리 그루 미터 킬로미터 킬로그램 퍼센트 비트";

#[derive(Clone, Copy)]
enum Before {
    Any,
    Consonant,
    Vowel,
}

impl Before {
    fn allows(self, stem: &str) -> bool {
        let Some(last) = stem.chars().next_back() else {
            return false;
        };
        match self {
            Self::Any => true,
            Self::Consonant => !is_hangul(last) || has_final(last),
            Self::Vowel => !is_hangul(last) || !has_final(last),
        }
    }
}

fn lists(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

pub(super) fn is_hangul(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

/// Whether the syllable ends in a consonant.
fn has_final(c: char) -> bool {
    is_hangul(c) && !(c as u32 - '가' as u32).is_multiple_of(28)
}

/// The word without its particle.
pub(super) fn stem(word: &str) -> &str {
    particle(word).map_or(word, |particle| &word[..word.len() - particle.len()])
}

fn particle(word: &str) -> Option<&'static str> {
    let fits = |particle: &str, before: Before| {
        word.strip_suffix(particle)
            .is_some_and(|stem| before.allows(stem))
    };
    PARTICLES
        .iter()
        .find(|(particle, before)| fits(particle, *before))
        .map(|(particle, _)| *particle)
}

/// Whether `word` cannot begin a word of its own.
pub(super) fn is_bound(word: &str) -> bool {
    lists(BOUND, word) || word.chars().next().is_some_and(|c| NEVER_FIRST.contains(c))
}

/// Whether `word` may go on with an incomplete word before it.
pub(super) fn is_perhaps_bound(word: &str, previous: &str) -> bool {
    let before = match word {
        "나" if previous.ends_with('이') => Before::Any,
        "이" | "이나" => Before::Consonant,
        "가" | "나" | "라" => Before::Vowel,
        _ => Before::Any,
    };
    lists(PERHAPS_BOUND, word) && before.allows(previous)
}

/// How sure it is that `word` is a whole one by its own end, from 0 (not at all) to 3.
pub(super) fn completeness(word: &str, previous: Option<&str>) -> f64 {
    if word.chars().count() < 2 {
        let leans = lists(DEPENDENT, word) && previous.is_some_and(carries);
        return if leans || SHORT_DESCRIBING.contains(word) {
            2.0
        } else if SHORT.contains(word) {
            1.0
        } else {
            0.0
        };
    }
    if lists(UNINFLECTED, word) {
        return 3.0;
    }
    if is_counted(stem(word)) && particle(word).is_some() {
        return 3.0;
    }
    match particle(word) {
        Some("은" | "는" | "을" | "를") => 3.0,
        Some(particle) if particle.chars().count() >= 2 => 3.0,
        Some("로" | "도") => 1.5,
        Some(_) => 2.0,
        None if ENDINGS.split(' ').any(|ending| word.ends_with(ending)) => 1.5,
        None if is_counted(word) => 1.0,
        None => 0.0,
    }
}

/// Whether the word is a number with its counter.
fn is_counted(word: &str) -> bool {
    let counter = word.trim_start_matches(|c: char| c.is_ascii_digit() || ",.".contains(c));
    counter.len() < word.len() && (counter.is_empty() || lists(COUNTERS, counter))
}

/// Whether the word is one that takes no particle.
pub(super) fn is_uninflected(word: &str) -> bool {
    lists(UNINFLECTED, word)
}

/// Whether a dependent noun may follow the token.
fn carries(token: &str) -> bool {
    let Some(last) = token.chars().next_back() else {
        return false;
    };
    describes(last)
        || token.ends_with('기')
        || (last.is_alphanumeric() && particle(token).is_none())
}

/// Whether Korean words hardly begin with the syllable: ㄹ at the start is left to loan words.
pub(super) fn is_rare_start(c: char) -> bool {
    ('라'..='맇').contains(&c) || "념녕닉뇨".contains(c)
}

/// Whether `word` is a noun that leans on the word before it across a space.
pub(super) fn is_dependent(word: &str) -> bool {
    lists(DEPENDENT, stem(word))
}

/// Whether the syllable can end a word that describes the next one (…ㄴ, …ㄹ).
pub(super) fn describes(c: char) -> bool {
    is_hangul(c) && matches!((c as u32 - '가' as u32) % 28, 4 | 8)
}
