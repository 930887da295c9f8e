//! What must hold for every set of questions, whatever the text.

mod any_text;
mod bombs;
mod likeness;
mod options;
mod refusals;

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::*;
use crate::{Answer, Difficulty, validation::comparable};

const SEJONG: &str = include_str!("../../../testdata/sejong.ko.md");
const SYSTEMS: &str = include_str!("../../../testdata/operating-systems.ko.txt");
const PLANTS: &str = include_str!("../../../testdata/photosynthesis.en.md");
const CELLS: &str = include_str!("../../../testdata/cells.ko.md");
const NETWORKS: &str = include_str!("../../../testdata/networks.en.txt");
const TEXTS: [(&str, &str); 5] = [
    ("sejong", SEJONG),
    ("systems", SYSTEMS),
    ("plants", PLANTS),
    ("cells", CELLS),
    ("networks", NETWORKS),
];

fn request(
    text: &str,
    kind: QuestionKind,
    difficulty: Difficulty,
    count: usize,
) -> GenerationRequest {
    GenerationRequest {
        text: text.to_owned(),
        files: Vec::new(),
        kind,
        difficulty,
        count,
        seed: 7,
    }
}

const KINDS: [QuestionKind; 3] = [
    QuestionKind::MultipleChoice,
    QuestionKind::TrueFalse,
    QuestionKind::ShortAnswer,
];
const DIFFICULTIES: [Difficulty; 3] = [Difficulty::Easy, Difficulty::Medium, Difficulty::Hard];

fn made(
    text: &str,
    kind: QuestionKind,
    difficulty: Difficulty,
    count: usize,
) -> Vec<GeneratedQuestion> {
    let wish = request(text, kind, difficulty, count);
    compose(&wish, &CancellationToken::new())
        .unwrap_or_else(|error| panic!("{kind} {difficulty}: {error}"))
}

fn every_set(mut check: impl FnMut(&str, QuestionKind, &[GeneratedQuestion])) {
    for (_, text) in TEXTS {
        for kind in KINDS {
            for difficulty in DIFFICULTIES {
                check(text, kind, &made(text, kind, difficulty, 20));
            }
        }
    }
}

/// The sentence that an explanation quotes.
fn quoted(explanation: &str) -> &str {
    for start in ["The text says: “", "본문에 “"] {
        if let Some((_, sentence)) = explanation.split_once(start) {
            return &sentence[..sentence.rfind('”').unwrap()];
        }
    }
    panic!("no sentence in {explanation}")
}

fn body(question: &GeneratedQuestion) -> &str {
    question.text.split_once("\n\n").unwrap().1
}

fn answer_text(question: &GeneratedQuestion) -> &str {
    match &question.answer {
        Answer::Text(text) => text,
        Answer::Boolean(_) => panic!("a text is expected"),
    }
}

#[test]
fn some_pages_are_enough_for_twenty_valid_questions_of_each_kind_and_difficulty() {
    for (_, text) in TEXTS {
        for kind in KINDS {
            for difficulty in DIFFICULTIES {
                let questions = made(text, kind, difficulty, 20);
                let wish = request(text, kind, difficulty, 20);
                assert_eq!(validate(&wish, &questions), Ok(()));
            }
        }
    }
}

#[test]
fn answers_and_options_stand_in_the_text_verbatim() {
    // Lines may be broken inside a name.
    let unspaced = |text: &str| text.split_whitespace().collect::<String>();
    every_set(|text, kind, questions| {
        if kind == QuestionKind::TrueFalse {
            return;
        }
        let text = unspaced(text);
        for question in questions {
            assert!(
                text.contains(&unspaced(answer_text(question))),
                "{question:?}"
            );
            for option in question.options.iter().flatten() {
                assert!(text.contains(&unspaced(option)), "{option} in {question:?}");
            }
        }
    });
}

#[test]
fn no_question_shows_its_answer() {
    every_set(|_, kind, questions| {
        if kind == QuestionKind::TrueFalse {
            return;
        }
        for question in questions {
            let answer = comparable(answer_text(question));
            assert!(
                !comparable(&question.text).contains(&answer),
                "{question:?}"
            );
        }
    });
}

#[test]
fn no_two_questions_are_alike_or_about_the_same_sentence() {
    every_set(|_, _, questions| {
        let texts: HashSet<String> = questions.iter().map(|q| comparable(&q.text)).collect();
        assert_eq!(texts.len(), questions.len());
        let sentences: HashSet<&str> = questions.iter().map(|q| quoted(&q.explanation)).collect();
        assert_eq!(sentences.len(), questions.len());
    });
}

#[test]
fn every_explanation_quotes_a_sentence_of_the_text() {
    every_set(|text, _, questions| {
        let text = comparable(text);
        for question in questions {
            let sentence = quoted(&question.explanation);
            assert!(text.contains(&comparable(sentence)), "{sentence}");
        }
    });
}

#[test]
fn the_same_request_gives_the_same_questions_and_another_seed_gives_others() {
    let wish = request(
        SYSTEMS,
        QuestionKind::MultipleChoice,
        Difficulty::Medium,
        10,
    );
    let cancel = CancellationToken::new();
    let first = compose(&wish, &cancel);
    assert_eq!(first, compose(&wish, &cancel));
    let other = GenerationRequest { seed: 8, ..wish };
    assert_ne!(first, compose(&other, &cancel));
}

#[test]
fn sentences_that_say_the_same_are_asked_about_once() {
    let text = "측우기는 빗물을 받아 비가 온 양을 재는 기구이다.\n\n\
                측우기는 빗물을 받아서 비가 온 양을 재는 기구였다.\n\n\
                자격루는 물의 흐름으로 종을 저절로 울리게 한 물시계이다.";
    let questions = made(text, QuestionKind::ShortAnswer, Difficulty::Easy, 2);
    assert_ne!(answer_text(&questions[0]), answer_text(&questions[1]));
    let wish = request(text, QuestionKind::ShortAnswer, Difficulty::Easy, 3);
    assert!(compose(&wish, &CancellationToken::new()).is_err());
}

#[tokio::test]
async fn the_generator_answers_through_its_trait() {
    let generator: Box<dyn QuestionGenerator> = Box::new(OfflineGenerator);
    let wish = request(PLANTS, QuestionKind::MultipleChoice, Difficulty::Easy, 20);
    let questions = generator
        .generate(&wish, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(validate(&wish, &questions), Ok(()));
}
