use chrono::{DateTime, Utc};

/// Where a set stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetStatus {
    /// Its questions are being made.
    Pending,
    /// It can be solved.
    Complete,
    /// It has no questions.
    Failed,
}

/// A question set as the database has it.
#[derive(Clone, Debug)]
pub struct QuestionSet {
    /// Set id.
    pub id: i64,
    /// Its owner.
    pub owner_id: i64,
    /// Shown title.
    pub title: String,
    /// `EASY`, `MEDIUM` or `HARD`.
    pub difficulty: String,
    /// `MULTIPLE_CHOICE`, `TRUE_FALSE` or `SHORT_ANSWER`.
    pub kind: String,
    /// Questions asked for.
    pub question_length: i32,
    /// `PENDING`, `COMPLETE` or `FAILED`.
    pub status: String,
    /// Automatic retries so far; also the number of the current attempt.
    pub retry_count: i32,
    /// Whether another attempt may succeed.
    pub retryable: bool,
    /// Stable code of the failure.
    pub failure_reason: Option<String>,
    /// The failure in words, for the member.
    pub failure_message: Option<String>,
    /// Counts every change: the optimistic lock.
    pub version: i64,
    /// When it was asked for, or tried again, last.
    pub pending_since: DateTime<Utc>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
    /// When its owner deleted it.
    pub deleted_at: Option<DateTime<Utc>>,
}
ground::from_row!(QuestionSet {
    id,
    owner_id,
    title,
    difficulty,
    kind,
    question_length,
    status,
    retry_count,
    retryable,
    failure_reason,
    failure_message,
    version,
    pending_since,
    created_at,
    updated_at,
    deleted_at
});

impl QuestionSet {
    /// Where it stands.
    pub fn status(&self) -> SetStatus {
        match self.status.as_str() {
            "COMPLETE" => SetStatus::Complete,
            "FAILED" => SetStatus::Failed,
            _ => SetStatus::Pending,
        }
    }

    /// Why it failed, in words for the member. Rows that an operator's script made have a code alone.
    pub fn failure_text(&self) -> String {
        match (&self.failure_message, self.failure_reason.as_deref()) {
            (Some(message), _) => message.clone(),
            (None, Some(TIMEOUT)) => TIMEOUT_MESSAGE.to_owned(),
            (None, _) => "문제를 만들지 못했습니다.".to_owned(),
        }
    }
}

/// `failure_reason` of a set that stayed PENDING too long.
pub(super) const TIMEOUT: &str = "TIMEOUT";
pub(super) const TIMEOUT_MESSAGE: &str = "문제 생성이 제한 시간 안에 끝나지 않았습니다.";

/// A question as the database has it.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) id: i64,
    pub(super) question_type: String,
    pub(super) question_text: String,
    pub(super) options: Option<serde_json::Value>,
    pub(super) answer: String,
    pub(super) explanation: String,
}
ground::from_row!(Question {
    id,
    question_type,
    question_text,
    options,
    answer,
    explanation
});
