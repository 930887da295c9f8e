//! The room through its doors: the router, the loop, the jobs. On both databases.

mod cleanup;
mod extraction;
mod fairness;
mod listing;
mod put;
mod uploads;

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::{Extension, Router};
use chrono::{DateTime, TimeDelta, Utc};
use document_text::{DocumentKind, Extracted, ExtractionError};
use ground::Statements;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    Extract, ExtractionLoop, ExtractionOptions, SourceLimits, Sources, routes, upload_routes,
};
use crate::member::Role;
use crate::platform::clock::Now;
use crate::platform::config::Config;
use crate::platform::db::Db;
use crate::platform::http::{ApiError, Identify, Identity, codes};
use crate::platform::migrations::migrate;
use crate::platform::storage::{FolderStorage, UrlSigner};

const PUBLIC_URL: &str = "http://pullit.test";
const ALICE: i64 = 7;
const BOB: i64 = 8;

/// The room on a database and a folder of its own, with a clock to set and two members.
struct World {
    db: Db,
    sources: Arc<Sources>,
    router: Router,
    time: Arc<Mutex<DateTime<Utc>>>,
    objects: TempDir,
    _database: testkit::Database,
}

/// The access token of a member is their id.
struct IdIsToken;

#[async_trait]
impl Identify for IdIsToken {
    async fn identify(&self, token: &str) -> Result<Identity, ApiError> {
        Ok(Identity {
            member_id: token.parse().map_err(|_| codes::UNAUTHENTICATED)?,
            role: Role::Member,
            expires_at: DateTime::<Utc>::MAX_UTC,
        })
    }
}

/// An upload that was asked for.
#[derive(Clone)]
struct Asked {
    member: i64,
    answer: Value,
}

impl World {
    async fn on(database: testkit::Database) -> Self {
        let url = database.url().split('?').next().unwrap();
        let db = Db::connect(url, 10).await.unwrap();
        migrate(&db).await.unwrap();
        for id in [ALICE, BOB] {
            let values = vec![id.into(), format!("{id}@pullit.test").into()];
            db.write()
                .run(
                    "INSERT INTO member (id, name, email) VALUES ($1, 'Member', $2)",
                    values,
                )
                .await
                .unwrap();
        }
        // 23:30 in Seoul.
        let time = Arc::new(Mutex::new("2026-11-22T14:30:00Z".parse().unwrap()));
        let clock: Now = Arc::new({
            let time = time.clone();
            move || *time.lock().unwrap()
        });
        let objects = tempfile::tempdir().unwrap();
        let signer = UrlSigner::new(PUBLIC_URL, *b"a secret of the tests");
        let folder = Arc::new(FolderStorage::open(objects.path(), signer).unwrap());
        let limits = SourceLimits {
            removal_batch: 2,
            ..SourceLimits::from(&Config::default())
        };
        let zone = chrono_tz::Asia::Seoul;
        let sources = Arc::new(Sources::new(
            db.clone(),
            folder.clone(),
            zone,
            limits,
            clock,
        ));
        let identify: Arc<dyn Identify> = Arc::new(IdIsToken);
        let (router, _) = routes(sources.clone())
            .merge(upload_routes(sources.clone(), folder))
            .split_for_parts();
        Self {
            db,
            sources,
            router: router.layer(Extension(identify)),
            time,
            objects,
            _database: database,
        }
    }

    fn pass(&self, time: TimeDelta) {
        *self.time.lock().unwrap() += time;
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        (status, body)
    }

    async fn post(&self, member: i64, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::post(format!("/api/learning/source/{path}"))
            .header("authorization", format!("Bearer {member}"))
            .header("content-type", "application/json")
            .body(body.to_string().into())
            .unwrap();
        self.send(request).await
    }

    async fn get(&self, member: i64) -> Vec<Value> {
        let request = Request::get("/api/learning/source")
            .header("authorization", format!("Bearer {member}"))
            .body(Body::empty())
            .unwrap();
        let (status, body) = self.send(request).await;
        assert_eq!(status, 200, "{body}");
        body.as_array().unwrap().clone()
    }

    async fn delete(&self, member: i64, id: i64) -> StatusCode {
        let request = Request::delete(format!("/api/learning/source/{id}"))
            .header("authorization", format!("Bearer {member}"))
            .body(Body::empty())
            .unwrap();
        self.send(request).await.0
    }

    async fn ask(&self, member: i64, name: &str, kind: &str, size: usize) -> Asked {
        let body = json!({"fileName": name, "contentType": kind, "fileSize": size});
        let (status, answer) = self.post(member, "upload", body).await;
        assert_eq!(status, 200, "{answer}");
        Asked { member, answer }
    }

    async fn put(&self, asked: &Asked, bytes: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::put(asked.url())
            .header("content-type", asked.text("contentType"))
            .body(bytes.into())
            .unwrap();
        self.send(request).await
    }

    async fn complete(&self, asked: &Asked) -> (StatusCode, Value) {
        self.post(asked.member, "upload-complete", asked.completion())
            .await
    }

    /// A member's source, from the wish to the completion.
    async fn source(&self, member: i64, text: &str) -> i64 {
        let asked = self.ask(member, "a.txt", "text/plain", text.len()).await;
        let (status, body) = self.put(&asked, text.to_owned()).await;
        assert_eq!(status, 200, "{body}");
        let (status, body) = self.complete(&asked).await;
        assert_eq!(status, 200, "{body}");
        body["id"].as_i64().unwrap()
    }

    /// A living question set made from these sources.
    async fn question_set(&self, status: &str, sources: &[i64]) -> i64 {
        let db = self.db.write();
        let id = db
            .scalar::<i64, _>(
                "INSERT INTO question_set (owner_id, title, difficulty, type, question_length, status) \
                 VALUES ($1, 'Set', 'EASY', 'TRUE_FALSE', 5, $2) RETURNING id",
                vec![ALICE.into(), status.into()],
            )
            .await
            .unwrap()
            .unwrap();
        for source in sources {
            db.run(
                "INSERT INTO question_set_source (question_set_id, source_id) VALUES ($1, $2)",
                vec![id.into(), (*source).into()],
            )
            .await
            .unwrap();
        }
        id
    }

    async fn column(&self, id: i64, column: &'static str) -> Option<String> {
        let sql = match column {
            "status" => "SELECT status FROM source WHERE id = $1",
            "failure_code" => "SELECT failure_code FROM source WHERE id = $1",
            "extraction_owner" => "SELECT extraction_owner FROM source WHERE id = $1",
            "file_path" => "SELECT file_path FROM source WHERE id = $1",
            "content" => "SELECT content FROM source_text WHERE source_id = $1",
            _ => panic!("no column {column}"),
        };
        self.db
            .read()
            .scalar::<Option<String>, _>(sql, vec![id.into()])
            .await
            .unwrap()
            .flatten()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.db.read().scalar(sql, vec![]).await.unwrap().unwrap()
    }

    async fn sources_stored(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM source").await
    }

    fn object(&self, path: &str) -> std::path::PathBuf {
        self.objects.path().join(path)
    }

    fn reader(&self, extract: impl Extract + 'static) -> ExtractionLoop {
        let options = ExtractionOptions {
            node: "node".to_owned(),
            concurrency: 2,
            lease: std::time::Duration::from_secs(15),
            poll: std::time::Duration::from_secs(3600),
            first: std::time::Duration::from_secs(3600),
            backoff: std::time::Duration::ZERO,
        };
        ExtractionLoop::new(self.sources.clone(), Arc::new(extract), options)
    }

    async fn drain(&self, extract: impl Extract + 'static) -> u64 {
        self.reader(extract)
            .drain(&CancellationToken::new())
            .await
            .unwrap()
    }
}

impl Asked {
    fn text(&self, field: &str) -> &str {
        self.answer[field].as_str().unwrap()
    }

    /// The path and query of the upload URL.
    fn url(&self) -> &str {
        self.text("uploadUrl").strip_prefix(PUBLIC_URL).unwrap()
    }

    fn completion(&self) -> Value {
        let mut body = self.answer.clone();
        body.as_object_mut().unwrap().remove("uploadUrl");
        body
    }
}

/// Reads plain text as it is, and says that it has three pages.
struct Plainly;

#[async_trait]
impl Extract for Plainly {
    async fn extract(
        &self,
        file: &Path,
        _: DocumentKind,
        _: &CancellationToken,
    ) -> Result<Extracted, ExtractionError> {
        Ok(Extracted {
            text: std::fs::read_to_string(file).unwrap(),
            page_count: Some(3),
        })
    }
}
