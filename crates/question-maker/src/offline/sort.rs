//! What sort of thing a term names, by its letters and its definition: no island among instruments.

use super::facts::FactKind;
use super::word_list::{WordList, word_list};

/// A coarse sort; only facts of one sort are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Person,
    /// A place, a building, or an institution, which a sentence often treats as a place.
    Site,
    Thing,
}

impl Sort {
    /// What the text says something is counts more than how its name ends.
    pub(super) fn of(surface: &str, kind: FactKind, genus: Option<&str>) -> Self {
        match (kind, genus) {
            (FactKind::Person, _) => Self::Person,
            (FactKind::Place, _) => Self::Site,
            (FactKind::Term | FactKind::Name, Some(genus)) => {
                if SITE_GENERA.has(genus) || is_site(genus) {
                    Self::Site
                } else {
                    Self::Thing
                }
            }
            (FactKind::Term | FactKind::Name, None) if is_site(surface) => Self::Site,
            _ => Self::Thing,
        }
    }
}

static SITE_GENERA: WordList = word_list!(
    "반도 산맥 대륙 해안 방조제 분지 고원 평야 공항 고속도로 기관 단체 회사 기업 학교 나라 국가 도시 수도 지역 지방 땅 지형 평지 섬 산 강 호수 바다 만 해협 \
습지 댐 다리 궁궐 절 탑 건물 항구 마을 화산 화산섬 왕조 city country town village region river mountain lake island sea ocean \
continent company university organization organisation observatory museum crater volcano"
);

/// Endings of names of places and institutions; a name has letters before them.
static SITE_ENDINGS: WordList = word_list!(
    "반도 산맥 해안 서해안 특별자치도 특별자치시 광역시 특별시 공항 고속도로 대륙 왕조 제국 민국 공화국 \
대학교 대학 연구소 연구원 위원회 협회 학회 회사 제철 발전소 방조제 평야 분지 고원 해협 운하 유역 지대 국립공원 경기장 박물관 \
미술관 도서관 산성 궁궐 강댐 천댐 호댐"
);

/// One last letter, after at least two others; words that end so and name no place follow.
const SITE_LETTERS: &str = "산강섬도궁댐늪";
static NO_SITES: WordList = word_list!(
    "유산 재산 자산 생산 계산 분산 확산 화산 예산 정산 인산 염산 황산 질산 탄산 핵산 지방산 아미노산 \
건강 보강 최강 온도 속도 습도 농도 밀도 각도 위도 경도 제도 지도 정도 강도 고도 빈도 순도 용도 태도 의도 포도 파도 철도 궤도 \
척도 선도 년도 연도 난이도 인지도 자유도 명도 채도 부도 자궁 구조도 설계도 회로도 흐름도 순서도"
);

/// Places and institutions that no ending gives away.
static SITES: WordList = word_list!(
    "유네스코 유엔 한국 조선 고려 신라 백제 고구려 중국 일본 미국 영국 독일 프랑스 이탈리아 러시아 스페인 인도 \
서울 부산 대구 인천 광주 대전 울산 제주 한양 개성 평양 동해 서해 남해 황해 태평양 대서양 한강 금강 독도 종묘 \
마이크로소프트 구글 애플 아마존 삼성전자"
);

static ENGLISH_SITES: WordList = word_list!(
    "Observatory Union University Institute Museum Laboratory College School Company Corporation \
Organization Organisation Academy Society Ocean River Sea Mountain Mountains Mons Lake Island Islands City State States Kingdom \
Empire Crater Bay Desert Forest Street"
);

/// Whether a name sounds like that of a place or an institution.
pub(super) fn is_site(name: &str) -> bool {
    let last = name.rsplit(' ').next().unwrap_or(name);
    let named_after = name.contains(' ') && SITE_ENDINGS.has(last);
    if named_after || SITES.has(name) || ENGLISH_SITES.has(last) || SITE_ENDINGS.ends(last) {
        return true;
    }
    let letters = last.chars().count();
    let by_letter = last
        .chars()
        .next_back()
        .is_some_and(|c| SITE_LETTERS.contains(c));
    let no_site = NO_SITES.has(last) || NO_SITES.ends(last);
    letters >= 3 && by_letter && !no_site
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_institutions_are_told_from_things() {
        for site in [
            "태백산맥",
            "백두산",
            "제주도",
            "남해안",
            "헬싱키 대학교",
            "두만강 유역",
            "유네스코",
            "Soviet Union",
        ] {
            assert!(is_site(site), "{site}");
        }
        for thing in [
            "문화유산",
            "표면온도",
            "철도",
            "자격루",
            "아미노산",
            "프로세스",
            "Principia",
        ] {
            assert!(!is_site(thing), "{thing}");
        }
    }

    #[test]
    fn a_definition_counts_more_than_an_ending() {
        assert_eq!(
            Sort::of("칠정산", FactKind::Term, Some("역법서")),
            Sort::Thing
        );
        assert_eq!(Sort::of("집현전", FactKind::Term, Some("기관")), Sort::Site);
        assert_eq!(Sort::of("세종", FactKind::Person, None), Sort::Person);
    }
}
