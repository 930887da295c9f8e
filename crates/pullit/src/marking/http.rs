//! `/api/marking`

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::MarkingError;
use super::service::{Answered, Marking, Marks};
use crate::platform::http::{ApiError, Caller, Fields, IdempotencyKey, Json, codes};
use crate::platform::idempotency::Once;

/// The most answers in one request.
const MOST_ANSWERS: usize = 500;
/// The longest answer, in characters.
const LONGEST_ANSWER: usize = 1_000;

/// The routes of the room.
pub fn routes(marking: Marking) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(mark))
        .with_state(marking)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AnswerBody {
    #[schema(required)]
    question_id: Option<i64>,
    /// A string, or a boolean for TRUE_FALSE.
    #[schema(required)]
    member_answer: Option<Value>,
    /// `string` or `boolean`.
    #[schema(required)]
    member_answer_type: Option<String>,
}

/// Marks answers to questions of the caller's own sets.
#[utoipa::path(post, path = "/api/marking", tag = "marking", security(("bearer" = [])), request_body = Vec<AnswerBody>,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key answers the same and acts once (24 h)")),
    responses((status = 200, body = Marks), (status = 400, description = "C_002, C_003"), (status = 404, description = "K_001"),
        (status = 422, description = "C_009")))]
async fn mark(
    State(marking): State<Marking>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<Vec<AnswerBody>>,
) -> Result<Json<Marks>, ApiError> {
    let answers = check(body)?;
    let once = Once::of(caller.id(), "marking", key, &answers)?;
    Ok(Json(marking.mark(caller.id(), answers, once).await?))
}

fn check(body: Vec<AnswerBody>) -> Result<Vec<Answered>, ApiError> {
    let mut fields = Fields::new();
    if body.is_empty() || body.len() > MOST_ANSWERS {
        fields.wrong(
            "$",
            format!("답안은 1개 이상 {MOST_ANSWERS}개 이하여야 합니다"),
        );
        fields.check()?;
        return Ok(Vec::new());
    }
    let answers = body
        .into_iter()
        .enumerate()
        .filter_map(|(index, answer)| one(&mut fields, index, answer))
        .collect();
    fields.check()?;
    Ok(answers)
}

fn one(fields: &mut Fields, index: usize, body: AnswerBody) -> Option<Answered> {
    let question_id = fields.required(&format!("[{index}].questionId"), body.question_id);
    let name = format!("[{index}].memberAnswer");
    let answer = fields.required(&name, body.member_answer);
    let kind = fields.required(
        &format!("[{index}].memberAnswerType"),
        body.member_answer_type,
    );
    let (answer, kind) = (answer?, kind?);
    let fits = match (kind.as_str(), &answer) {
        ("string", Value::String(text)) => text.chars().count() <= LONGEST_ANSWER,
        // Forms send booleans as words; both are understood.
        ("boolean", Value::String(text)) => {
            matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "false")
        }
        ("boolean", Value::Bool(_)) => true,
        ("string" | "boolean", _) => false,
        _ => {
            fields.wrong(
                format!("[{index}].memberAnswerType"),
                "string, boolean 중 하나여야 합니다",
            );
            return None;
        }
    };
    if !fits {
        fields.wrong(
            name,
            format!("{kind} 형식의 값이어야 합니다 (최대 {LONGEST_ANSWER}자)"),
        );
        return None;
    }
    Some(Answered {
        question_id: question_id?,
        answer,
    })
}

impl From<MarkingError> for ApiError {
    fn from(error: MarkingError) -> Self {
        match error {
            MarkingError::QuestionNotFound(id) => Self::with(
                codes::QUESTION_NOT_FOUND,
                format!("문제 {id}을(를) 찾을 수 없습니다"),
            ),
            MarkingError::Once(error) => error.into(),
            MarkingError::Database(error) => error.into(),
            MarkingError::Incomplete { .. }
            | MarkingError::Payload(_)
            | MarkingError::Outbox(_) => {
                tracing::error!(%error, "a marking was undone");
                codes::INTERNAL.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bodies(value: Value) -> Vec<AnswerBody> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_wrong_field_is_named_with_its_place() {
        let error = check(bodies(json!([
            {"questionId": 1, "memberAnswer": "a", "memberAnswerType": "string"},
            {"memberAnswer": true, "memberAnswerType": "number"},
            {"questionId": 3, "memberAnswer": 5, "memberAnswerType": "string"},
        ])))
        .unwrap_err();
        let fields: Vec<_> = error
            .errors
            .iter()
            .map(|error| error.field.as_str())
            .collect();
        assert_eq!(
            fields,
            ["[1].questionId", "[1].memberAnswerType", "[2].memberAnswer"]
        );
    }
}
