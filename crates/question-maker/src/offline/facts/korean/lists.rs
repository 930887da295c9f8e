//! Word lists for Korean: what is too general to be an answer, what is no noun, who is a person.

use std::{collections::HashSet, sync::LazyLock};

use crate::offline::language::is_hangul;
use crate::offline::word_list::{WordList, word_list};

/// Nouns that say too little to be asked for on their own; parts of longer terms they may be.
const GENERAL: &str = "것 때 수 등 경우 사람 때문 정도 이후 이전 당시 자신 하나 모두 대부분 다음 위 안 속 중 뒤 앞 전 후 사이 \
동안 가운데 결과 방법 과정 역할 기능 특징 목적 이유 의미 예 점 부분 문제 상태 방식 시간 시기 시대 내용 종류 형태 구조 \
단계 활동 작업 일 말 뜻 이름 관계 영향 변화 발전 사용 이용 관리 실행 제공 처리 저장 생산 연구 조사 설명 이해 필요 \
중요 가능 처음 마지막 오늘 오늘날 지금 현재 과거 미래 세계 사회 나라 곳 여러 각각 서로 전체 일부 나머지 최대 최소 \
최초 최근 기본 기준 원리 이론 개념 현상 상황 조건 대상 요소 성질 크기 길이 높이 깊이 넓이 무게 양 값 수준 정보 자료 \
방향 위치 모양 모습 힘 능력 효과 이점 장점 단점 차이 비교 분야 업적 시작 완성 도입 설치 개발 발견 발명 등장 작용 \
반응 이동 증가 감소 유지 보호 구성 형성 발생 존재 표현 기록 해석 분석 이상 이하 미만 초과 때마다 덕분 다양 대신 \
우리 우리나라 그것 이것 무엇 누구 어디 언제 사실 생각 마음 책임 도움 노력 준비 한꺼번 차례 순서대로 순서 보통 흔히 \
실제 직접 반대 바탕 중심 주변 근처 옆 끝 밖 겉 목록 성능 비용 요청 내부 외부 재능 인재 경험 글 노래 뛰어난 듯 채 \
계속 스스로 따위 무렵 이듬해 이때 그때 한때 해당 별도 다른 같은 새로운 모든 어떤 다수 소수 대표 예외 가지 번 한 두 \
코드 값 나이 세상 아들 사건 움직임 의견 가장자리 면 칸 조각 도구 기법 제도 기관 기구 장치 모듈 단위 통로 공간 물건 \
물질 재료 종이 소리 돌 물 땅 하늘 해 달 별 백성 신하 임금 왕 책 작품 건물 화살 기둥 악기 악보 성분 존재 상대 조사 안전 \
전국 이하 젊은 날 주 제 월 년 세기 초기 후기 중기 전기 글자 학자들 이곳 그곳 저곳 찬반 사정 뜻 북쪽 남쪽 동쪽 서쪽 위쪽 아래쪽";

/// Words that stand without a particle before a noun and are no part of its name.
const NO_NOUN: &str = "가장 매우 더 덜 다시 또 또한 그리고 그러나 하지만 따라서 즉 특히 이미 모두 함께 서로 바로 새로 스스로 다른 여러 \
모든 어떤 이런 그런 이러한 그러한 같은 위한 통한 대한 관한 따른 의한 및 또는 혹은 약 각 매 한 두 세 네 다섯 여섯 일곱 여덟 \
아홉 열 첫 첫째 둘째 셋째 이 그 저 새 헌 온 전 총 단 오직 다만 주로 보통 흔히 자주 대개 거의 아주 훨씬 조금 조금씩 많이 잘 못 안 \
처음 직접 실제로 그대로 차례로 지나치게 너무 오랫동안 실행 중인 동안 때 이후 이전 당시 뒤 후 전에 후에 위해 통해 대해 따라 \
의해 관해 비해 수 것 등 중 가운데 사이 셋 넷 둘 하나 비록 만약 만일 결국 물론 점차 점점 천천히 빨리 곧 아직 여전히 항상 늘 \
다음 이번 지난 해당 일부 대개 각종 본래 원래 당초 오늘날 최근 이듬해 지난해 매년 해마다 초기 후기 중기 지금 현재 어느 역시 골고루 저절로 거꾸로 제각기 스스로 먼저 나중 \
최초의 실은 큰 작은 긴 짧은 높은 낮은 많은 적은 좋은 나쁜 빠른 느린 넓은 좁은 오래된 새로운 뛰어난 지은 만든 쓴 본 된 한번";

/// Nouns that stand before a person's name, or that a person is.
static PERSON_ROLES: WordList = word_list!(
    "학자 과학자 천문학자 수학자 물리학자 화학자 생물학자 철학자 의학자 역사학자 경제학자 심리학자 언어학자 \
시인 소설가 작가 화가 작곡가 음악가 건축가 발명가 사상가 정치가 혁명가 탐험가 기술자 공학자 장군 대통령 총리 황제 교황 교수 박사 \
선생 신하 관리 의사 선수 감독 제자 후계자 승려 스님 학자들 과학자들 신하들 개발자 프로그래머 창시자 설립자 사람 인물 왕 임금 국왕 여왕 왕자 \
장수 무신 문신 재상 관료 아들 딸 부인 부제학 대제학 직제학 영의정 좌의정 우의정 판서 의병장"
);

const SURNAMES: &str =
    "김이박최정강조윤장임한오서신권황안송류홍유문양손배백허남노심하성채변민곽엄원차주구나맹";

const KING_STARTS: &str = "태정세문단예성연중인명선효현숙경영순헌철고";

/// Syllables that end a verb before a noun, as in 만든 책 or 흐르는 물.
const ADNOMINAL: &str =
    "한된는은진난던운른린긴큰온쓴든을할될갈질날올친킨낸준본간뀐룬띤힌인의뜬튼픈쁜";

/// Syllables that end a verb which the sentence goes on after.
const CONNECTIVE: &str = "고며서면게지아어여해져려러니나도록거듯히이펴쳐켜겨워춰꿔봐줘";

/// Last syllables of what is left of a verb or an adjective once a particle-like ending is gone.
const VERBAL: &str = "하되있없않같었았했겠였받얻찾높낮넓깊짧젊많좋싫쉽맞붉얕좁길시적으되려";

/// Nouns that only say where or when: `장치 사이` is no term.
const POSITIONS: &str = "사이 때 중 안 밖 속 위 아래 옆 앞 뒤 전 후 내 외 동안 이후 이전 이상 이하 가운데 무렵 당시 시절 초 말 등 \
간 쪽 곁 끝 수 정도 경우 자체 때문 대신 도중 직후 직전 순서";

fn listed(list: &str, word: &str) -> bool {
    list.split(' ').any(|entry| entry == word)
}

fn last_in(list: &str, word: &str) -> bool {
    word.chars().next_back().is_some_and(|c| list.contains(c))
}

pub(super) fn is_general(word: &str) -> bool {
    GENERAL_SET.contains(word)
}

/// Whether a phrase ends in a word that only says where or when.
pub(super) fn is_position(phrase: &str) -> bool {
    phrase
        .rsplit_once(' ')
        .is_some_and(|(_, last)| listed(POSITIONS, last))
}

pub(super) fn is_no_noun(word: &str) -> bool {
    NO_NOUN_SET.contains(word)
}

pub(super) fn is_person_role(word: &str) -> bool {
    PERSON_ROLES.has(word) || (word.ends_with("학자") || word.ends_with("과학자"))
}

pub(super) fn is_king(word: &str) -> bool {
    let mut chars = word.chars();
    let (first, second) = (chars.next(), chars.next());
    let named =
        first.is_some_and(|c| KING_STARTS.contains(c)) && matches!(second, Some('종' | '조'));
    (named && chars.next().is_none()) || word.ends_with("대왕") || word.ends_with("대군")
}

pub(super) fn may_be_a_full_name(word: &str) -> bool {
    word.chars().count() == 3 && word.chars().next().is_some_and(|c| SURNAMES.contains(c))
}

pub(super) fn ends_adnominal(word: &str) -> bool {
    last_in(ADNOMINAL, word)
}

pub(super) fn ends_connective(word: &str) -> bool {
    last_in(CONNECTIVE, word)
}

pub(super) fn ends_verbal(word: &str) -> bool {
    last_in(VERBAL, word)
}

/// How verbs and adjectives end inside a sentence, in letters that end no noun.
static VERB_ENDINGS: WordList = word_list!(
    "하기 되기 하며 하고 하여 하는 되는 되며 되고 되어 으며 으나 지만 면서 도록 거나 므로 니다 한다 된다 는다 \
하던 되던 하면 되면 려고 려면 으면 았던 지도록"
);

/// Whether a word is a form of a verb or an adjective, whatever the text around it suggests:
/// 올렸으나, 시행하기.
pub(super) fn is_verb_form(word: &str) -> bool {
    let past = word
        .chars()
        .any(|c| is_hangul(c) && (c as u32).wrapping_sub('가' as u32) % 28 == SSANG_SIOT);
    past || VERB_ENDINGS.ends(word)
}

/// The final ㅆ of 았, 었 and 겠, which no noun has.
const SSANG_SIOT: u32 = 20;

/// Three letters that begin like a surname and end like a noun: 강수량, 안전성, 유전자, 남해안.
pub(super) fn ends_like_a_thing(word: &str) -> bool {
    last_in(
        "성력법학화도량률자류산강섬안댐물체소기계층권형식적보점면당관국회업품차표값말글론액칙",
        word,
    )
}

static GENERAL_SET: LazyLock<HashSet<&str>> =
    LazyLock::new(|| GENERAL.split_whitespace().collect());
static NO_NOUN_SET: LazyLock<HashSet<&str>> =
    LazyLock::new(|| NO_NOUN.split_whitespace().collect());

/// The noun that a verb is made of, as in 제어하는 and 분열된.
pub(super) fn of_verb(word: &str) -> Option<&str> {
    let (at, _) = word
        .char_indices()
        .skip(2)
        .find(|(_, c)| "하한할함합해했되된될됨됩됐".contains(*c))?;
    let noun = &word[..at];
    noun.chars().all(is_hangul).then_some(noun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_verbs_are_told_from_nouns() {
        for form in [
            "올렸으나",
            "시행하기",
            "작성되어",
            "만들었다",
            "갔지만",
            "연구하는",
        ] {
            assert!(is_verb_form(form), "{form}");
        }
        for noun in [
            "앙부일구",
            "측우기",
            "바다",
            "화면",
            "목록",
            "해례본",
            "전기",
            "사고",
        ] {
            assert!(!is_verb_form(noun), "{noun}");
        }
    }
}
