//! Question sets as the API shows them.

use chrono::SecondsFormat;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Question, QuestionSet, SetStatus};
use super::service::Detail;
use question_maker::QuestionKind;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    id: i64,
    title: String,
    status: &'static str,
    question_length: i32,
    #[serde(rename = "type")]
    kind: &'static str,
    difficulty: &'static str,
    /// ISO 8601.
    create_time: String,
    /// ISO 8601.
    update_time: String,
    /// Why it failed, for a FAILED set.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
}

impl From<QuestionSet> for Summary {
    fn from(set: QuestionSet) -> Self {
        let failure_reason = (set.status == SetStatus::Failed).then(|| set.failure_text());
        Self {
            create_time: time(set.created_at),
            update_time: time(set.updated_at),
            id: set.id,
            title: set.title,
            status: set.status.name(),
            question_length: set.question_length,
            kind: set.kind.as_str(),
            difficulty: set.difficulty.as_str(),
            failure_reason,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole {
    id: i64,
    source_ids: Vec<i64>,
    #[serde(rename = "ownerID")]
    owner_id: i64,
    title: String,
    questions: Vec<QuestionView>,
    difficulty: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    question_length: i32,
    create_time: String,
    update_time: String,
    status: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct QuestionView {
    id: i64,
    question_type: &'static str,
    question_text: String,
    /// Four options, for MULTIPLE_CHOICE.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    options: Option<serde_json::Value>,
    /// The right option's text, a boolean for TRUE_FALSE, a string for SHORT_ANSWER.
    answer: serde_json::Value,
    explanation: String,
}

impl From<Question> for QuestionView {
    fn from(question: Question) -> Self {
        let answer = match (question.kind, question.answer.as_str()) {
            (QuestionKind::TrueFalse, "true") => true.into(),
            (QuestionKind::TrueFalse, "false") => false.into(),
            (_, answer) => answer.into(),
        };
        Self {
            id: question.id,
            question_type: question.kind.as_str(),
            question_text: question.question_text,
            options: question.options.filter(|options| !options.is_null()),
            answer,
            explanation: question.explanation,
        }
    }
}

impl From<Detail> for Whole {
    fn from(detail: Detail) -> Self {
        let Detail {
            set,
            source_ids,
            questions,
        } = detail;
        Self {
            create_time: time(set.created_at),
            update_time: time(set.updated_at),
            id: set.id,
            source_ids,
            owner_id: set.owner_id,
            title: set.title,
            questions: questions.into_iter().map(QuestionView::from).collect(),
            difficulty: set.difficulty.as_str(),
            kind: set.kind.as_str(),
            question_length: set.question_length,
            status: set.status.name(),
        }
    }
}

fn time(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, false)
}
