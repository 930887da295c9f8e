//! What members do, through the port.

use serde_json::{Value, json};
use testkit::http::{Answer, Client};
use testkit::sse::SseReader;
use testkit::wait;

use super::BOUND;

/// A member in a browser of their own.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Member id.
    pub(crate) id: i64,
    /// Signed in.
    pub(crate) client: Client,
}

impl Member {
    /// Asks for an upload URL.
    pub(crate) async fn ticket(&self, name: &str, content_type: &str, size: usize) -> Value {
        let request = json!({"fileName": name, "contentType": content_type, "fileSize": size});
        self.client
            .post("/api/learning/source/upload", &request)
            .await
            .expect(200)
    }

    /// Puts the bytes of an upload.
    pub(crate) async fn put(&self, ticket: &Value, bytes: &[u8]) -> Answer {
        let url = ticket["uploadUrl"].as_str().unwrap();
        self.client
            .put(url, ticket["contentType"].as_str().unwrap(), bytes)
            .await
    }

    /// Says that an upload is complete.
    pub(crate) async fn complete(&self, ticket: &Value) -> Answer {
        self.client
            .post("/api/learning/source/upload-complete", ticket)
            .await
    }

    /// Uploads a file; the id of the source, which is not read yet.
    pub(crate) async fn upload(&self, name: &str, content_type: &str, bytes: &[u8]) -> i64 {
        let ticket = self.ticket(name, content_type, bytes.len()).await;
        self.put(&ticket, bytes).await.expect(200);
        self.complete(&ticket).await.expect(200)["id"]
            .as_i64()
            .unwrap()
    }

    /// A source as the list has it; `null` when it is not listed.
    pub(crate) async fn source(&self, id: i64) -> Value {
        let list = self.client.get("/api/learning/source").await.expect(200);
        let sources = list.as_array().unwrap();
        sources
            .iter()
            .find(|source| source["id"] == id)
            .cloned()
            .unwrap_or_default()
    }

    /// A source once it is READY or FAILED, as the list has it.
    pub(crate) async fn read_source(&self, id: i64) -> Value {
        wait::until("the source is read", BOUND, async || {
            matches!(
                self.source(id).await["status"].as_str(),
                Some("READY" | "FAILED")
            )
        })
        .await;
        self.source(id).await
    }

    /// Asks for a question set; its id.
    pub(crate) async fn ask(&self, sources: &[i64], kind: &str, count: usize) -> i64 {
        let body = json!({"difficulty": "EASY", "questionCount": count, "type": kind, "sourceIds": sources});
        self.client
            .post("/api/question-set", &body)
            .await
            .expect(201)["id"]
            .as_i64()
            .unwrap()
    }

    /// The answer to a set's page.
    pub(crate) async fn set(&self, id: i64) -> Answer {
        self.client.get(&format!("/api/question-set/{id}")).await
    }

    /// The answer to a set's page once it is no longer PENDING.
    pub(crate) async fn made_set(&self, id: i64) -> Answer {
        wait::until("the set is made", BOUND, async || {
            self.set(id).await.json["code"] != "Q_002"
        })
        .await;
        self.set(id).await
    }

    /// A COMPLETE set with its questions.
    pub(crate) async fn complete_set(&self, sources: &[i64], kind: &str, count: usize) -> Value {
        let id = self.ask(sources, kind, count).await;
        self.made_set(id).await.expect(200)
    }

    /// Marks answers.
    pub(crate) async fn mark(&self, answers: &Value) -> Answer {
        self.client.post("/api/marking", answers).await
    }

    /// The member's own learn stats.
    pub(crate) async fn stats(&self) -> Value {
        self.client
            .get(&format!("/api/members/{}/learn-stats", self.id))
            .await
            .expect(200)
    }

    /// Opens an event stream, as a new tab does.
    pub(crate) async fn stream(&self) -> SseReader {
        self.stream_after(None).await
    }

    /// Opens an event stream, as a tab does that reconnects.
    pub(crate) async fn stream_after(&self, last_event_id: Option<&str>) -> SseReader {
        let url = self.client.url("/api/notifications/subscribe");
        SseReader::connect(&url, self.client.bearer().as_deref(), last_event_id).await
    }

    /// Opens the event stream at a path.
    pub(crate) async fn stream_at(&self, path: &str) -> SseReader {
        SseReader::connect(
            &self.client.url(path),
            self.client.bearer().as_deref(),
            None,
        )
        .await
    }
}

/// The right answers to all questions of a set, ready to be marked.
pub(crate) fn right_answers(set: &Value) -> Value {
    answers(set, Value::clone)
}

/// A wrong answer to each question of a set, ready to be marked.
pub(crate) fn wrong_answers(set: &Value) -> Value {
    answers(set, |right| match right {
        Value::Bool(right) => json!(!right),
        _ => json!("전혀 다른 답"),
    })
}

fn answers(set: &Value, answer: impl Fn(&Value) -> Value) -> Value {
    let questions = set["questions"].as_array().unwrap();
    questions
        .iter()
        .map(|question| {
            let kind = if question["answer"].is_boolean() { "boolean" } else { "string" };
            json!({"questionId": question["id"], "memberAnswer": answer(&question["answer"]), "memberAnswerType": kind})
        })
        .collect()
}
