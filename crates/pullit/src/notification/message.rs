//! What members read.

use serde_json::{Value, json};

use crate::question_set::events::{SetCompleted, SetFailed};

/// The SSE event that tells how the making of a set ended.
pub(super) const CREATION_COMPLETE: &str = "questionSetCreationComplete";

pub(super) fn completed(event: &SetCompleted) -> Value {
    json!({
        "success": true,
        "questionSetId": event.question_set_id,
        "message": format!("'{}' 문제집이 완성되었습니다.", event.title),
    })
}

pub(super) fn failed(event: &SetFailed) -> Value {
    let next = if event.will_retry {
        "잠시 후 자동으로 다시 시도합니다."
    } else {
        "자동으로 다시 시도하지 않습니다."
    };
    json!({
        "success": false,
        "questionSetId": event.question_set_id,
        "message": format!("'{}' 문제집 생성에 실패했습니다. {} {next}", event.title, event.message),
    })
}
