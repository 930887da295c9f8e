//! Question sets and questions as the database has them.

use chrono::{DateTime, Utc};
use ground::{At, FromRow, Row};

use crate::platform::word::{self, words};
use question_maker::{Difficulty, QuestionKind};

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

words!(SetStatus in "question_set" { Pending = "PENDING", Complete = "COMPLETE", Failed = "FAILED" });

/// A question set as the database has it.
#[derive(Clone, Debug)]
pub struct QuestionSet {
    /// Set id.
    pub id: i64,
    /// Its owner.
    pub owner_id: i64,
    /// Shown title.
    pub title: String,
    /// How hard its questions are.
    pub difficulty: Difficulty,
    /// Which kind its questions are of.
    pub kind: QuestionKind,
    /// Questions asked for.
    pub question_length: i32,
    /// Where it stands.
    pub status: SetStatus,
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

impl FromRow for QuestionSet {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.get("id")?,
            owner_id: row.get("owner_id")?,
            title: row.get("title")?,
            difficulty: word::read(row, "question_set", At::Name("difficulty"))?,
            kind: word::read(row, "question_set", At::Name("type"))?,
            question_length: row.get("question_length")?,
            status: row.get("status")?,
            retry_count: row.get("retry_count")?,
            retryable: row.get("retryable")?,
            failure_reason: row.get("failure_reason")?,
            failure_message: row.get("failure_message")?,
            version: row.get("version")?,
            pending_since: row.get("pending_since")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            deleted_at: row.get("deleted_at")?,
        })
    }
}

impl QuestionSet {
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
    pub(super) kind: QuestionKind,
    pub(super) question_text: String,
    pub(super) options: Option<serde_json::Value>,
    pub(super) answer: String,
    pub(super) explanation: String,
}

impl FromRow for Question {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.get("id")?,
            kind: word::read(row, "question", At::Name("question_type"))?,
            question_text: row.get("question_text")?,
            options: row.get("options")?,
            answer: row.get("answer")?,
            explanation: row.get("explanation")?,
        })
    }
}

/// A question that its reader may answer now.
#[derive(Clone, Debug)]
pub struct MarkableQuestion {
    /// Question id.
    pub id: i64,
    /// Its set.
    pub question_set_id: i64,
    /// How it is answered.
    pub kind: QuestionKind,
    /// The right answer; `true` or `false` for TRUE_FALSE.
    pub answer: String,
    /// How many questions the set has.
    pub questions_in_set: i64,
}

impl FromRow for MarkableQuestion {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.get("id")?,
            question_set_id: row.get("question_set_id")?,
            kind: word::read(row, "question", At::Name("question_type"))?,
            answer: row.get("answer")?,
            questions_in_set: row.get("questions_in_set")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use ground::{Database, Statements};
    use sqlx::SqlitePool;

    use super::*;

    async fn read(words: [&str; 3]) -> Result<Option<QuestionSet>, sqlx::Error> {
        let db = Database::from(SqlitePool::connect("sqlite::memory:").await.unwrap());
        let row = "SELECT 1 AS id, 2 AS owner_id, '한글' AS title, $1 AS status, $2 AS difficulty, $3 AS type, \
             5 AS question_length, 0 AS retry_count, true AS retryable, NULL AS failure_reason, NULL AS failure_message, \
             0 AS version, '2026-11-30T00:00:00.000000+00:00' AS pending_since, \
             '2026-11-30T00:00:00.000000+00:00' AS created_at, '2026-11-30T00:00:00.000000+00:00' AS updated_at, \
             NULL AS deleted_at";
        db.row(row, words.map(Into::into).to_vec()).await
    }

    #[tokio::test]
    async fn a_set_is_read_with_its_words() {
        let set = read(["COMPLETE", "EASY", "TRUE_FALSE"])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(set.status, SetStatus::Complete);
        assert_eq!(
            (set.difficulty, set.kind),
            (Difficulty::Easy, QuestionKind::TrueFalse)
        );
    }

    #[tokio::test]
    async fn an_unknown_word_in_a_row_is_an_error_and_no_pending_set() {
        for (words, place) in [
            (
                ["ARCHIVED", "EASY", "TRUE_FALSE"],
                "question_set.status holds the unknown word `ARCHIVED`",
            ),
            (
                ["PENDING", "TRIVIAL", "TRUE_FALSE"],
                "question_set.difficulty holds the unknown word `TRIVIAL`",
            ),
            (
                ["PENDING", "EASY", "ESSAY"],
                "question_set.type holds the unknown word `ESSAY`",
            ),
        ] {
            let error = read(words).await.unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
        }
    }
}
