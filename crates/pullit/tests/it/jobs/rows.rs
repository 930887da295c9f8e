//! Rows as a script of the operator's writes and reads them: in the contract's columns.

use chrono::{DateTime, Utc};
use ground::from_row;
use serde_json::Value;

use super::bench::{Bench, at, literal};

fn nullable(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "NULL".to_owned(), literal)
}

/// A row of `question_set`.
pub(crate) struct Set {
    pub(crate) owner: i64,
    pub(crate) status: &'static str,
    pub(crate) length: i32,
    pub(crate) retry_count: i32,
    pub(crate) retryable: bool,
    pub(crate) pending_since: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) deleted_at: Option<DateTime<Utc>>,
}

impl Default for Set {
    fn default() -> Self {
        let long_ago = at("2026-11-01T00:00:00Z");
        Self {
            owner: 1,
            status: "PENDING",
            length: 3,
            retry_count: 0,
            retryable: true,
            pending_since: long_ago,
            created_at: long_ago,
            updated_at: long_ago,
            deleted_at: None,
        }
    }
}

/// What the jobs change in a question set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetRow {
    pub(crate) id: i64,
    pub(crate) status: String,
    pub(crate) retry_count: i32,
    pub(crate) retryable: bool,
    pub(crate) failure_reason: Option<String>,
    pub(crate) version: i64,
    pub(crate) pending_since: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}
from_row!(SetRow {
    id,
    status,
    retry_count,
    retryable,
    failure_reason,
    version,
    pending_since,
    updated_at,
});

/// A stored notification.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) member_id: i64,
    pub(crate) event_name: String,
    pub(crate) payload: Value,
}
from_row!(Told {
    member_id,
    event_name,
    payload
});

/// An event in the outbox.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) event_type: String,
    pub(crate) aggregate_key: String,
    pub(crate) payload: Value,
}
from_row!(Published {
    event_type,
    aggregate_key,
    payload
});

impl Bench {
    /// Members with these ids.
    pub(crate) async fn members(&self, ids: std::ops::RangeInclusive<i64>) {
        let rows: Vec<_> = ids
            .map(|id| format!("({id}, 'Member {id}', 'member{id}@example.com')"))
            .collect();
        let sql = format!(
            "INSERT INTO member (id, name, email) VALUES {}",
            rows.join(", ")
        );
        self.sql(&sql).await;
    }

    /// A question set with this id, in the columns that every script knows.
    pub(crate) async fn set(&self, id: i64, set: Set) {
        let sql = format!(
            "INSERT INTO question_set (id, owner_id, title, difficulty, type, question_length, status, retry_count, \
             retryable, version, pending_since, created_at, updated_at, deleted_at) \
             VALUES ({id}, {}, 'Set {id}', 'EASY', 'TRUE_FALSE', {}, '{}', {}, {}, 7, {}, {}, {}, {})",
            set.owner,
            set.length,
            set.status,
            set.retry_count,
            set.retryable,
            literal(set.pending_since),
            literal(set.created_at),
            literal(set.updated_at),
            nullable(set.deleted_at),
        );
        self.sql(&sql).await;
    }

    pub(crate) async fn row(&self, set: i64) -> SetRow {
        let sql = format!(
            "SELECT id, status, retry_count, retryable, failure_reason, version, pending_since, updated_at \
             FROM question_set WHERE id = {set}"
        );
        self.rows(&sql).await.remove(0)
    }

    /// A source that is READY with this text.
    pub(crate) async fn source(&self, id: i64, owner: i64, text: &str) {
        self.sql(&format!(
            "INSERT INTO source (id, member_id, original_name, content_type, file_path, file_size_bytes, page_count, status) \
             VALUES ({id}, {owner}, 'notes.txt', 'text/plain', 'sources/{owner}/{id}/notes.txt', 5, 1, 'READY')"
        ))
        .await;
        let text = text.replace('\'', "''");
        self.sql(&format!(
            "INSERT INTO source_text (source_id, content) VALUES ({id}, '{text}')"
        ))
        .await;
    }

    pub(crate) async fn link(&self, set: i64, source: i64) {
        self.sql(&format!(
            "INSERT INTO question_set_source (question_set_id, source_id) VALUES ({set}, {source})"
        ))
        .await;
    }

    /// What members were told, oldest first.
    pub(crate) async fn told(&self) -> Vec<Told> {
        self.rows("SELECT member_id, event_name, payload FROM notification ORDER BY id")
            .await
    }

    /// What waits in the outbox, oldest first.
    pub(crate) async fn outbox(&self) -> Vec<Published> {
        self.rows("SELECT event_type, aggregate_key, payload FROM outbox_event ORDER BY id")
            .await
    }
}
