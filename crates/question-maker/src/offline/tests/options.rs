//! Wrong options, false statements and blanks are as the text and the difficulty ask for.

use super::*;

#[test]
fn a_year_is_asked_for_among_years() {
    let is_year = |option: &str| option.len() == 4 && option.parse::<u32>().is_ok_and(|y| y > 1100);
    for text in [SEJONG, PLANTS, CELLS] {
        let questions = made(text, QuestionKind::MultipleChoice, Difficulty::Hard, 20);
        let mut seen = 0;
        for question in questions.iter().filter(|q| is_year(answer_text(q))) {
            assert!(
                question.options.iter().flatten().all(|o| is_year(o)),
                "{question:?}"
            );
            seen += 1;
        }
        assert!(seen >= 3, "only {seen} years were asked for");
    }
}

#[test]
fn a_person_is_asked_for_among_persons() {
    let people = [
        "세종",
        "태종",
        "문종",
        "양녕대군",
        "수양대군",
        "정인지",
        "신숙주",
        "성삼문",
        "최만리",
        "장영실",
        "김빈",
        "이순지",
        "김담",
        "정초",
        "변효문",
        "박연",
        "이천",
        "이종무",
        "최윤덕",
        "김종서",
        "충녕대군",
    ];
    for difficulty in DIFFICULTIES {
        let questions = made(SEJONG, QuestionKind::MultipleChoice, difficulty, 20);
        let asked = questions
            .iter()
            .filter(|q| people.contains(&answer_text(q)));
        for question in asked {
            let strangers = question
                .options
                .iter()
                .flatten()
                .filter(|o| !people.contains(&o.as_str()));
            assert!(strangers.count() == 0, "{question:?}");
        }
    }
}

#[test]
fn half_of_the_statements_are_false_and_stand_nowhere_in_the_text() {
    every_set(|text, kind, questions| {
        if kind != QuestionKind::TrueFalse {
            return;
        }
        let text = comparable(text);
        let mut falsehoods = 0;
        for question in questions {
            let is_false = question.answer == Answer::Boolean(false);
            falsehoods += usize::from(is_false);
            let said = text.contains(&comparable(body(question)));
            assert_eq!(said, !is_false, "{question:?}");
        }
        assert!((8..=12).contains(&falsehoods), "{falsehoods} of 20");
    });
}

#[test]
fn particles_agree_with_the_word_that_was_put_in() {
    let mut checked = 0;
    for (_, text) in TEXTS {
        for question in made(text, QuestionKind::TrueFalse, Difficulty::Medium, 20) {
            let Some((_, wrong)) = question.explanation.split_once("틀린 설명입니다. ‘")
            else {
                continue;
            };
            let wrong = wrong.split('’').next().unwrap();
            let statement = body(&question);
            let after = &statement[statement.find(wrong).unwrap() + wrong.len()..];
            for form in ["은", "는", "이", "가", "을", "를", "과", "와"] {
                if after
                    .strip_prefix(form)
                    .is_some_and(|rest| rest.starts_with(' '))
                {
                    assert_eq!(form, josa::after(wrong, form), "{statement}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked >= 5);
}

#[test]
fn the_right_option_is_at_each_place_equally_often() {
    every_set(|_, kind, questions| {
        if kind != QuestionKind::MultipleChoice {
            return;
        }
        let mut places = BTreeMap::<usize, usize>::new();
        for question in questions {
            let options = question.options.as_ref().unwrap();
            let place = options
                .iter()
                .position(|o| o == answer_text(question))
                .unwrap();
            *places.entry(place).or_default() += 1;
        }
        assert_eq!(places.into_values().collect::<Vec<_>>(), [5, 5, 5, 5]);
    });
}

#[test]
fn no_distractor_stands_in_the_sentence_that_is_asked_about() {
    every_set(|_, kind, questions| {
        if kind != QuestionKind::MultipleChoice {
            return;
        }
        for question in questions {
            let sentence = comparable(quoted(&question.explanation));
            if answer_text(question).starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            for option in question.options.iter().flatten() {
                let right = option == answer_text(question);
                assert!(
                    right || !sentence.contains(&comparable(option)),
                    "{question:?}"
                );
            }
        }
    });
}

#[test]
fn a_fact_that_another_sentence_makes_true_is_no_distractor() {
    let text = "The liver is a large organ that stores sugar for the body. \
                The muscle is a large organ that stores sugar for the body too. \
                The kidney is a small filter that cleans the blood of waste. \
                The lung is a soft pouch that takes oxygen from fresh air. \
                The stomach is a hollow bag that breaks food down with acid.";
    for seed in 0..20 {
        let wish = GenerationRequest {
            seed,
            ..request(text, QuestionKind::MultipleChoice, Difficulty::Hard, 3)
        };
        for question in compose(&wish, &CancellationToken::new()).unwrap() {
            let options = question.options.as_ref().unwrap();
            let both = ["liver", "muscle"]
                .iter()
                .all(|organ| options.iter().any(|o| o == organ));
            assert!(
                !(question.text.contains("stores sugar") && both),
                "{question:?}"
            );
        }
    }
}

#[test]
fn blanks_do_not_reveal_how_the_answer_begins_or_ends() {
    let revealing = [
        "____은 ", "____는 ", "____이 ", "____가 ", "____을 ", "____를 ", "____과 ", "____와 ",
        " an ____", " a ____",
    ];
    every_set(|_, kind, questions| {
        if kind == QuestionKind::TrueFalse {
            return;
        }
        for question in questions {
            let revealed = revealing.iter().any(|form| question.text.contains(form));
            assert!(!revealed, "{}", question.text);
        }
    });
}

#[test]
fn easy_sets_ask_for_what_things_are_and_hard_sets_for_figures() {
    for (name, text) in TEXTS {
        let figures = |difficulty| {
            made(text, QuestionKind::ShortAnswer, difficulty, 15)
                .iter()
                .filter(|q| answer_text(q).starts_with(|c: char| c.is_ascii_digit()))
                .count()
        };
        let (easy, hard) = (figures(Difficulty::Easy), figures(Difficulty::Hard));
        assert!(
            easy + 3 <= hard,
            "{name}: {easy} figures when easy, {hard} when hard"
        );
    }
}
