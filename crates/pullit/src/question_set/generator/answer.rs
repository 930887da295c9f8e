//! From a model's text to questions.

use question_maker::{Answer, GeneratedQuestion, GenerationRequest, QuestionKind};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;

#[derive(Deserialize)]
struct Sheet<Q> {
    questions: Vec<Q>,
}

#[derive(Deserialize)]
struct Choice {
    question: String,
    responses: Responses,
    solution: Letter,
    why: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Responses {
    a: String,
    b: String,
    c: String,
    d: String,
}

#[derive(Clone, Copy, Deserialize)]
enum Letter {
    A,
    B,
    C,
    D,
}

#[derive(Deserialize)]
struct Statement {
    question: String,
    solution: bool,
    why: String,
}

#[derive(Deserialize)]
struct Short {
    question: String,
    solution: String,
    why: String,
}

/// The questions of an answer. Whether they are as many as were asked for, and distinct, is for [`validate`] to say.
///
/// [`validate`]: question_maker::validate
pub(super) fn read(
    request: &GenerationRequest,
    answer: &str,
) -> Result<Vec<GeneratedQuestion>, Fault> {
    Ok(match request.kind {
        QuestionKind::MultipleChoice => {
            // Models like to put the right option in the same place.
            let mut dice = StdRng::seed_from_u64(request.seed);
            let questions = sheet::<Choice>(answer)?;
            questions
                .into_iter()
                .map(|q| choice(q, &mut dice))
                .collect()
        }
        QuestionKind::TrueFalse => sheet::<Statement>(answer)?
            .into_iter()
            .map(|q| question(&q.question, None, Answer::Boolean(q.solution), &q.why))
            .collect(),
        QuestionKind::ShortAnswer => sheet::<Short>(answer)?
            .into_iter()
            .map(|q| question(&q.question, None, Answer::Text(clean(&q.solution)), &q.why))
            .collect(),
    })
}

fn sheet<Q: DeserializeOwned>(answer: &str) -> Result<Vec<Q>, Fault> {
    // The error itself would name what stands in the answer.
    serde_json::from_str::<Sheet<Q>>(answer)
        .map(|sheet| sheet.questions)
        .map_err(|_| Fault::Malformed("the answer does not have the form that was asked for"))
}

fn choice(choice: Choice, dice: &mut StdRng) -> GeneratedQuestion {
    let Responses { a, b, c, d } = choice.responses;
    let mut options: Vec<String> = [a, b, c, d].iter().map(|option| clean(option)).collect();
    let right = options[choice.solution as usize].clone();
    options.shuffle(dice);
    question(
        &choice.question,
        Some(options),
        Answer::Text(right),
        &choice.why,
    )
}

fn question(
    text: &str,
    options: Option<Vec<String>>,
    answer: Answer,
    explanation: &str,
) -> GeneratedQuestion {
    GeneratedQuestion {
        text: clean(text),
        options,
        answer,
        explanation: clean(explanation),
    }
}

/// Without control characters: PostgreSQL takes no NUL, and a result that cannot be stored would be made again and again.
fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use question_maker::{Difficulty, validate};

    fn request(kind: QuestionKind, count: usize) -> GenerationRequest {
        GenerationRequest {
            text: String::new(),
            files: Vec::new(),
            kind,
            difficulty: Difficulty::Easy,
            count,
            seed: 11,
        }
    }

    fn multiple_choice(n: usize, solution: &str) -> Value {
        json!({"index": n, "question": format!("{n}번 문제"), "solution": solution, "why": "해설",
            "responses": {"A": "하나", "B": "둘", "C": "셋", "D": "넷"}})
    }

    fn read_all(kind: QuestionKind, questions: &[Value]) -> Result<Vec<GeneratedQuestion>, Fault> {
        let answer = json!({ "questions": questions }).to_string();
        read(&request(kind, questions.len()), &answer)
    }

    #[test]
    fn the_letter_names_the_right_option_and_the_options_are_mixed() {
        let all: Vec<_> = (1..=40).map(|n| multiple_choice(n, "B")).collect();
        let questions = read_all(QuestionKind::MultipleChoice, &all).unwrap();
        validate(&request(QuestionKind::MultipleChoice, 40), &questions).unwrap();
        let mut places = [0; 4];
        for question in &questions {
            assert_eq!(question.answer, Answer::Text("둘".to_owned()));
            let options = question.options.as_ref().unwrap();
            places[options.iter().position(|option| option == "둘").unwrap()] += 1;
        }
        assert!(places.iter().all(|times| *times > 0), "{places:?}");
        let again = read_all(QuestionKind::MultipleChoice, &all).unwrap();
        assert_eq!(again, questions, "one set, one order");
    }

    #[test]
    fn statements_and_short_answers_are_read() {
        let statement = json!({"index": 1, "question": " 참이다. ", "solution": false, "why": "w"});
        let read = read_all(QuestionKind::TrueFalse, &[statement]).unwrap();
        assert_eq!(read[0].answer, Answer::Boolean(false));
        assert_eq!(read[0].text, "참이다.");
        let short = json!({"index": 1, "question": "?", "solution": "세종\n", "why": "w"});
        let read = read_all(QuestionKind::ShortAnswer, &[short]).unwrap();
        assert_eq!(read[0].answer, Answer::Text("세종".to_owned()));
    }

    #[test]
    fn what_no_database_would_take_is_left_out() {
        let short =
            json!({"index": 1, "question": "a\u{0}b\u{7}?", "solution": "x\u{0}", "why": "w\nv"});
        let read = read_all(QuestionKind::ShortAnswer, &[short]).unwrap();
        assert_eq!(read[0].text, "ab?");
        assert_eq!(read[0].answer, Answer::Text("x".to_owned()));
        assert_eq!(read[0].explanation, "w\nv");
    }

    #[test]
    fn another_form_than_was_asked_for_is_malformed_and_worth_another_attempt() {
        let fifth = multiple_choice(1, "E");
        let mut three = multiple_choice(1, "A");
        three["responses"].as_object_mut().unwrap().remove("D");
        let mut mute = multiple_choice(1, "A");
        mute.as_object_mut().unwrap().remove("why");
        for bad in [fifth, three, mute, json!(1)] {
            let error = read_all(QuestionKind::MultipleChoice, &[bad]).unwrap_err();
            assert!(!error.judge().permanent);
        }
        for text in ["", "죄송합니다", "{\"questions\":", "[]"] {
            let one = request(QuestionKind::TrueFalse, 1);
            assert!(
                matches!(read(&one, text), Err(Fault::Malformed(_))),
                "{text}"
            );
        }
    }
}
