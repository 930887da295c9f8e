//! A question set as a member sees it, and a member who solves it.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::account::Lines;
use super::client::{Client, number};
use super::problem::{Problem, check, equal};
use super::text::{pad, width};

/// A question of `GET /api/question-set/{id}`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Question {
    id: i64,
    question_type: String,
    question_text: String,
    options: Option<Vec<String>>,
    answer: Value,
    explanation: String,
}

#[derive(Deserialize)]
struct QuestionSet {
    status: String,
    questions: Vec<Question>,
}

/// The options of one question stand in one line when they are no longer than this.
const ONE_LINE: usize = 84;

/// The questions of a set that is COMPLETE, if there are this many and each is whole.
pub(super) async fn of_set(
    client: &Client,
    id: i64,
    count: usize,
) -> Result<Vec<Question>, Problem> {
    let set: QuestionSet = client
        .get(&format!("/api/question-set/{id}"))
        .await?
        .read()?;
    equal("the set's status", set.status.as_str(), "COMPLETE")?;
    equal("the number of questions", set.questions.len(), count)?;
    for question in &set.questions {
        question.whole()?;
    }
    Ok(set.questions)
}

impl Question {
    fn whole(&self) -> Result<(), Problem> {
        let fits = match (self.question_type.as_str(), &self.options, &self.answer) {
            ("MULTIPLE_CHOICE", Some(options), Value::String(answer)) => {
                let different: HashSet<_> = options.iter().collect();
                different.len() == 4 && options.contains(answer)
            }
            ("TRUE_FALSE", None, Value::Bool(_)) => true,
            ("SHORT_ANSWER", None, Value::String(answer)) => !answer.is_empty(),
            _ => false,
        };
        check(
            fits && !self.question_text.is_empty() && !self.explanation.is_empty(),
            format_args!("a question is not whole: {self:?}"),
        )
    }

    fn show(&self, place: usize, lines: &mut Lines) {
        lines.hang(&format!("Q{place}  "), &self.question_text);
        let options = self.options.iter().flatten().enumerate();
        let options: Vec<String> = options
            .map(|(index, option)| format!("{}) {option}", index + 1))
            .collect();
        let joined = options.join("   ");
        if width(&joined) <= ONE_LINE {
            lines.hang("    ", joined);
        } else {
            for option in options {
                lines.hang("    ", option);
            }
        }
        lines.hang("    answer: ", said(&self.answer));
        lines.hang("    ", &self.explanation);
    }

    /// The right answer, or one that is not.
    fn answered(&self, right: bool) -> Value {
        match (&self.answer, right) {
            (answer, true) => answer.clone(),
            (Value::Bool(answer), false) => Value::Bool(!answer),
            (answer, false) => {
                let other = self
                    .options
                    .iter()
                    .flatten()
                    .find(|option| *answer != **option);
                other.map_or_else(|| json!("모르겠습니다"), |option| json!(option))
            }
        }
    }
}

/// All questions, with their answers and explanations.
pub(super) fn show(questions: &[Question]) -> Lines {
    let mut lines = Lines::default();
    for (index, question) in questions.iter().enumerate() {
        question.show(index + 1, &mut lines);
    }
    lines
}

fn said(answer: &Value) -> String {
    match answer {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Solves a whole set: every question right, but for the one at this place, if there is one.
pub(super) async fn solve(
    client: &Client,
    questions: &[Question],
    wrong: Option<usize>,
) -> Result<((), Lines), Problem> {
    let answers: Vec<Value> = questions
        .iter()
        .enumerate()
        .map(|(index, question)| question.answered(wrong != Some(index)))
        .collect();
    let body: Vec<Value> = questions
        .iter()
        .zip(&answers)
        .map(|(question, answer)| {
            let kind = if answer.is_boolean() {
                "boolean"
            } else {
                "string"
            };
            json!({"questionId": question.id, "memberAnswer": answer, "memberAnswerType": kind})
        })
        .collect();
    let marks = client
        .post("/api/marking", &Value::Array(body))
        .await?
        .ok(200)?;
    let correct = questions.len() - usize::from(wrong.is_some());
    equal(
        "totalQuestions",
        number(&marks, "/totalQuestions")?,
        questions.len() as i64,
    )?;
    equal(
        "correctCount",
        number(&marks, "/correctCount")?,
        correct as i64,
    )?;
    let mut lines = Lines::default();
    let meaning = format!("{correct} of {} right", questions.len());
    lines.request("POST /api/marking", "200", meaning);
    let widest = answers.iter().map(|answer| width(&said(answer))).max();
    let widest = widest.unwrap_or_default();
    for (index, (question, answer)) in questions.iter().zip(&answers).enumerate() {
        let right = wrong != Some(index);
        let mark = json!({"questionId": question.id, "isCorrect": right});
        let given = marks.pointer(&format!("/results/{index}"));
        equal("the mark", given, Some(&mark))?;
        let verdict = if right {
            "right".to_owned()
        } else {
            format!("wrong, on purpose: it is {}", said(&question.answer))
        };
        let place = format!("Q{}  {}   ", index + 1, pad(&said(answer), widest));
        lines.hang(&place, verdict);
    }
    Ok(((), lines))
}
