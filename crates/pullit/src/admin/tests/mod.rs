//! The room through its doors, on both databases.

mod console;
mod doors;
mod jobs;
mod members;
mod outbox;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::{Extension, Router};
use chrono::TimeDelta;
use ground::Statements;
use http::{HeaderMap, Request, StatusCode};
use scheduler::testkit::ManualClock;
use scheduler::{Clock, Job, Retry, Scheduler, Scope, Trigger};
use serde_json::{Value, json};
use shedlock::{LockProvider, PostgresLockProvider, SqliteLockProvider};
use sse_hub::{Hub, HubOptions};
use tokio::sync::Notify;
use tower::ServiceExt;
use utoipa::openapi::OpenApi;

use super::{Admin, AdminParts, routes};
use crate::auth::http::Quotas;
use crate::auth::{Auth, AuthOptions, Secrets};
use crate::member::{CreateMember, Members};
use crate::notification::{Feed, FeedOptions};
use crate::platform::clock::Now;
use crate::platform::db::Db;
use crate::platform::http::Identify;
use crate::platform::migrations::migrate;

/// The room with an operator, a member, and jobs that a test can hold.
struct World {
    db: Db,
    router: Router,
    api: OpenApi,
    clock: ManualClock,
    scheduler: Scheduler,
    signal: ::outbox::Signal,
    hub: Hub<i64>,
    auth: Auth,
    /// Lets one run of `slow` end.
    slow_may_end: Arc<Notify>,
    operator: Person,
    member: Person,
    _database: testkit::Database,
}

/// Somebody who has signed in.
#[derive(Clone)]
struct Person {
    id: i64,
    token: String,
    cookie: String,
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// Status and error code.
    fn code(&self) -> (u16, &str) {
        let code = self.body["code"].as_str().unwrap_or_default();
        (self.status.as_u16(), code)
    }
}

impl World {
    async fn on(database: testkit::Database) -> Self {
        Self::with_timeout(database, Duration::from_secs(20)).await
    }

    /// A world where the answer to a run by hand waits this long.
    async fn with_timeout(database: testkit::Database, run_timeout: Duration) -> Self {
        let url = database.url().split('?').next().unwrap();
        let db = Db::connect(url, 10).await.unwrap();
        migrate(&db).await.unwrap();
        let clock = ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap());
        let now: Now = Arc::new({
            let clock = clock.clone();
            move || clock.now()
        });
        let members = Members::new(db.clone(), now.clone());
        let options = AuthOptions::of_tests();
        let secrets = Secrets::from_text("a secret of the tests that is long enough");
        let auth = Auth::new(db.clone(), now.clone(), members.clone(), &secrets, options);
        let locks = locks(&db, "this-node");
        let slow_may_end = Arc::new(Notify::new());
        let scheduler = Scheduler::builder()
            .database(db.write())
            .cluster_locks(locks.clone())
            .clock(Arc::new(clock.clone()))
            .node_id("this-node")
            .jobs(jobs_of(&slow_may_end))
            .build()
            .unwrap();
        let signal = ::outbox::Signal::new();
        let hub = Hub::new(HubOptions::default());
        let options = FeedOptions {
            poll: Duration::from_secs(5),
            heartbeat: Duration::from_secs(3),
        };
        let feed = Feed::new(
            [db.clone(), db.clone()],
            Arc::clone(&now),
            hub.clone(),
            signal.clone(),
            options,
        );
        let mut admin = Admin::new(AdminParts {
            scheduler: scheduler.clone(),
            locks,
            db: db.clone(),
            now,
            signal: signal.clone(),
            members: members.clone(),
            auth: auth.clone(),
            hub: hub.clone(),
            feed: Arc::new(feed),
        });
        admin.run_timeout = run_timeout;
        let identify: Arc<dyn Identify> = Arc::new(auth.clone());
        let quotas = Arc::new(Quotas::new(0, 0, Vec::new()));
        let (router, api) = routes(admin).split_for_parts();
        let router = router
            .merge(super::console())
            .merge(
                crate::auth::http::routes(auth.clone(), quotas)
                    .split_for_parts()
                    .0,
            )
            .layer(Extension(identify));
        for (email, admin) in [("op@pullit.test", true), ("kim@pullit.test", false)] {
            let create = CreateMember {
                email: email.to_owned(),
                name: None,
                admin,
            };
            members.create(create).await.unwrap();
        }
        let operator = sign_in(&router, &auth, "op@pullit.test").await;
        let member = sign_in(&router, &auth, "kim@pullit.test").await;
        Self {
            db,
            router,
            api,
            clock,
            scheduler,
            signal,
            hub,
            auth,
            slow_may_end,
            operator,
            member,
            _database: database,
        }
    }

    async fn ask(&self, token: Option<&str>, method: &str, path: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        send(&self.router, request.body(Body::empty()).unwrap()).await
    }

    /// What the operator gets.
    async fn get(&self, path: &str) -> Value {
        let answer = self
            .ask(
                Some(&self.operator.token),
                "GET",
                &format!("/admin/api/{path}"),
            )
            .await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    async fn post(&self, path: &str) -> Answer {
        self.ask(
            Some(&self.operator.token),
            "POST",
            &format!("/admin/api/{path}"),
        )
        .await
    }

    async fn refresh(&self, person: &Person) -> Answer {
        refresh(&self.router, person).await
    }

    async fn run(&self, sql: &'static str, values: Vec<ground::Value>) {
        self.db.write().run(sql, values).await.unwrap();
    }
}

fn locks(db: &Db, node: &str) -> Arc<dyn LockProvider> {
    if let Some(pool) = db.write().postgres() {
        return Arc::new(PostgresLockProvider::new(pool.clone(), node));
    }
    let pool = db.write().sqlite().unwrap().clone();
    Arc::new(SqliteLockProvider::new(pool, node))
}

fn jobs_of(slow_may_end: &Arc<Notify>) -> [Job; 3] {
    let nightly = || Trigger::cron("0 0 4 * * *", chrono_tz::Asia::Seoul).unwrap();
    let slow_may_end = slow_may_end.clone();
    [
        Job::builder("quick", nightly()).run(|_| async { Ok(3) }),
        Job::builder("slow", nightly()).run(move |_| {
            let may_end = slow_may_end.clone();
            async move {
                may_end.notified().await;
                Ok(1)
            }
        }),
        Job::builder(
            "broken",
            Trigger::fixed_rate(Duration::from_secs(3)).unwrap(),
        )
        .scope(Scope::Node)
        .retry(Retry::never())
        .run(|_| async { Err(scheduler::JobError::failed("the storage is full")) }),
    ]
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let headers = response.headers().clone();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    Answer {
        status,
        headers,
        body,
    }
}

async fn sign_in(router: &Router, auth: &Auth, email: &str) -> Person {
    let link = auth.make_link(email, "test").await.unwrap();
    let path = format!("/auth/link?token={}", link.token);
    let answer = send(router, Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 302, "{}", answer.body);
    let person = Person {
        id: link.member.id,
        cookie: cookie(&answer),
        token: String::new(),
    };
    let answer = refresh(router, &person).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Person {
        token: answer.body["accessToken"].as_str().unwrap().to_owned(),
        cookie: cookie(&answer),
        ..person
    }
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn refresh(router: &Router, person: &Person) -> Answer {
    let request = Request::post("/auth/refresh").header("cookie", &person.cookie);
    send(router, request.body(Body::empty()).unwrap()).await
}
