//! The options of a question are of one kind, in texts as they come out of real documents.

use super::*;
use crate::{Answer, Difficulty};

const SEJONG: &str = include_str!("../../../testdata/sejong-lesson.ko.txt");
const GEOGRAPHY: &str = include_str!("../../../testdata/geography.ko.txt");
const SOLAR_SYSTEM: &str = include_str!("../../../testdata/solar-system.en.txt");
const KOREAN: [&str; 5] = [
    SEJONG,
    GEOGRAPHY,
    include_str!("../../../testdata/sejong.ko.md"),
    include_str!("../../../testdata/operating-systems.ko.txt"),
    include_str!("../../../testdata/cells.ko.md"),
];

fn every(text: &str, kind: QuestionKind) -> Vec<GeneratedQuestion> {
    let mut all = Vec::new();
    for difficulty in [Difficulty::Easy, Difficulty::Medium, Difficulty::Hard] {
        for seed in 0..4 {
            let request = GenerationRequest {
                text: text.to_owned(),
                files: Vec::new(),
                kind,
                difficulty,
                count: 20,
                seed,
            };
            all.extend(compose(&request, &CancellationToken::new()).unwrap());
        }
    }
    all
}

/// Questions whose answer is one of `family` must not have an option of `strangers`.
fn assert_apart(text: &str, family: &[&str], strangers: &[&str]) {
    let questions = every(text, QuestionKind::MultipleChoice);
    let asked = questions
        .iter()
        .filter(|q| matches!(&q.answer, Answer::Text(answer) if family.contains(&answer.as_str())));
    let mut count = 0;
    for question in asked {
        count += 1;
        for option in question.options.iter().flatten() {
            assert!(
                !strangers.contains(&option.as_str()),
                "{option}: {question:?}"
            );
        }
    }
    assert!(count > 0, "nobody asked for any of {family:?}");
}

fn looks_like_a_verb(word: &str) -> bool {
    let endings = [
        "으나", "으며", "하며", "하고", "하여", "하기", "되기", "하는", "되는", "되어", "한다",
        "했다", "니다", "지만", "면서", "거나",
    ];
    endings.iter().any(|ending| word.ends_with(ending))
        || word.contains(['았', '었', '였', '했', '렸', '됐', '겠', '졌', '왔'])
}

#[test]
fn no_answer_or_option_is_a_form_of_a_verb() {
    for text in KOREAN {
        for question in every(text, QuestionKind::MultipleChoice) {
            for option in question.options.iter().flatten() {
                assert!(!looks_like_a_verb(option), "{option}: {question:?}");
            }
        }
        for question in every(text, QuestionKind::ShortAnswer) {
            if let Answer::Text(answer) = &question.answer {
                assert!(!looks_like_a_verb(answer), "{question:?}");
            }
        }
    }
}

#[test]
fn no_noun_in_passing_stands_among_names_and_defined_terms() {
    let named = [
        "세종",
        "장영실",
        "집현전",
        "자격루",
        "앙부일구",
        "측우기",
        "칠정산",
        "정간보",
    ];
    let passing = [
        "학자들",
        "왜구",
        "정책",
        "목구멍",
        "찬반",
        "글자",
        "사정",
        "북쪽",
        "이곳",
        "농사법",
        "농부",
        "학문",
    ];
    assert_apart(SEJONG, &named, &passing);
}

#[test]
fn a_person_stands_among_persons_and_a_thing_among_things() {
    let persons = [
        "세종",
        "장영실",
        "문종",
        "정인지",
        "최만리",
        "박팽년",
        "중종",
    ];
    let others = [
        "유네스코",
        "자격루",
        "앙부일구",
        "측우기",
        "칠정산",
        "정간보",
        "공법",
        "집현전",
    ];
    assert_apart(SEJONG, &persons, &others);
    assert_apart(SEJONG, &others, &persons);
}

#[test]
fn a_place_stands_among_places() {
    let places = [
        "한반도",
        "제주도",
        "낙동강",
        "태백산맥",
        "대한민국",
        "서울",
        "소양강댐",
        "비무장 지대",
        "강원특별자치도",
        "새만금 방조제",
    ];
    let others = ["태풍", "장마", "높새바람", "람사르 협약", "조력 발전"];
    assert_apart(GEOGRAPHY, &places, &others);
    assert_apart(GEOGRAPHY, &others, &places);
}

#[test]
fn an_astronomer_stands_among_persons_and_a_planet_does_not() {
    let persons = [
        "Asaph Hall",
        "Nicolaus Copernicus",
        "Tycho Brahe",
        "Giuseppe Piazzi",
        "Johann Galle",
        "Yuri Gagarin",
        "Urbain Le Verrier",
    ];
    let others = [
        "Uranus",
        "Mars",
        "Pluto",
        "Principia",
        "Soviet Union",
        "New Horizons",
        "Curiosity",
        "Solar System",
    ];
    assert_apart(SOLAR_SYSTEM, &persons, &others);
    assert_apart(SOLAR_SYSTEM, &others, &persons);
}

#[test]
fn half_a_name_is_not_asked_for() {
    for question in every(SOLAR_SYSTEM, QuestionKind::MultipleChoice) {
        assert!(!question.text.contains("'s ____"), "{question:?}");
    }
}

#[test]
fn a_question_says_whether_it_wants_a_year_or_a_date() {
    let questions = every(GEOGRAPHY, QuestionKind::MultipleChoice);
    assert!(
        questions
            .iter()
            .any(|q| q.text.starts_with("다음 빈칸에 들어갈 알맞은 연도는?"))
    );
    for question in questions.iter().filter(|q| q.text.contains("____년 ")) {
        assert!(
            question
                .text
                .starts_with("다음 빈칸에 들어갈 알맞은 연도는?"),
            "{question:?}"
        );
    }
}
