//! What those see who watch over the service, and the manners of the HTTP edge.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Answer, Method};
use testkit::wait;

use crate::support::{Problem, Server, Setup};

/// Every method and path of the contract.
const CONTRACT: &[(&str, &str)] = &[
    ("post", "/auth/refresh"),
    ("post", "/auth/logout"),
    ("post", "/auth/dev-login"),
    ("get", "/oauth2/authorization/kakao"),
    ("get", "/login/oauth2/code/kakao"),
    ("get", "/api/members/me"),
    ("post", "/api/learning/source/upload"),
    ("post", "/api/learning/source/upload-complete"),
    ("get", "/api/learning/source"),
    ("delete", "/api/learning/source/{id}"),
    ("post", "/api/question-set"),
    ("get", "/api/question-set"),
    ("get", "/api/question-set/all"),
    ("get", "/api/question-set/{id}"),
    ("patch", "/api/question-set/{id}"),
    ("delete", "/api/question-set/{id}"),
    ("post", "/api/marking"),
    ("get", "/api/members/{memberId}/learn-stats"),
    ("get", "/api/members/{memberId}/daily-stats"),
    ("get", "/api/notifications/subscribe"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/admin/api/jobs"),
];

async fn preflight(server: &Server, origin: &str, method: &str) -> Answer {
    let request = server.client.request(Method::OPTIONS, "/api/question-set");
    request
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header(
            "access-control-request-headers",
            "authorization,content-type,idempotency-key,last-event-id",
        )
        .send()
        .await
}

testkit::on_each_database! {
    async fn a_node_that_can_work_is_alive_and_ready(db: testkit::Database) {
        let server = Server::start(db).await;
        assert_eq!(server.client.get("/healthz").await.text, "ok");
        let ready = server.client.get("/readyz").await.expect(200);
        let up = json!({"ready": true});
        let roles = json!({"api": up, "relay": up, "worker": up});
        assert_eq!(ready, json!({"ready": true, "database": "up", "storage": "up", "broker": "up", "roles": roles}));
        server.stop().await;
    }

    async fn a_node_whose_storage_or_database_is_gone_is_alive_and_not_ready(db: testkit::Database) {
        let server = Server::start(db).await;
        std::fs::remove_dir_all(server.folder().join("objects")).unwrap();
        let ready = server.client.get("/readyz").await.expect(503);
        assert_eq!((&ready["ready"], &ready["database"], &ready["storage"]), (&json!(false), &json!("up"), &json!("down")));
        server.app.db.clone().close().await;
        // What was written within a second counts.
        wait::until("the database is seen to be down", Duration::from_secs(3), async || {
            server.client.get("/readyz").await.expect(503)["database"] == "down"
        })
        .await;
        server.client.get("/healthz").await.expect(200);
        let answer = server.client.post("/auth/dev-login", &json!({"email": "a@pullit.test"})).await;
        assert!(answer.status.is_server_error(), "{}", answer.text);
    }

    async fn metrics_count_requests_and_the_backlog(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        member.client.get("/api/question-set/7").await.problem(404, "Q_001");
        let metrics = server.client.get("/metrics").await;
        assert!(metrics.header("content-type").starts_with("text/plain"));
        for line in ["outbox_backlog{status=\"PENDING\"}", "outbox_backlog{status=\"DEAD\"}"] {
            assert!(metrics.text.contains(line), "{line}: {}", metrics.text);
        }
        // Ids would make the metrics grow without end.
        let counted = "http_requests_total{method=\"GET\",path=\"/api/question-set/{id}\",status=\"404\"}";
        assert!(metrics.text.contains(counted), "{}", metrics.text);
        let took = "http_request_seconds_bucket{method=\"GET\",path=\"/api/question-set/{id}\",le=\"0.5\"}";
        assert!(metrics.text.contains(took), "{}", metrics.text);
    }

    async fn the_documentation_has_every_door_of_the_contract(db: testkit::Database) {
        let server = Server::start(db).await;
        let api = server.client.get("/openapi.json").await.expect(200);
        assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
        for (method, path) in CONTRACT {
            assert!(api["paths"][path][method].is_object(), "{method} {path}");
        }
        assert!(api["paths"].as_object().unwrap().keys().any(|path| path.starts_with("/storage/uploads/")));
        let open = api["paths"]["/healthz"]["get"]["security"].clone();
        assert_eq!(open, Value::Null);
        let mut page = server.client.get("/docs").await;
        if page.status.is_redirection() {
            let next = page.header("location").to_owned();
            page = server.client.get(&next).await;
        }
        assert_eq!(page.status.as_u16(), 200);
        assert!(page.header("content-type").starts_with("text/html"));
    }

    async fn what_does_not_exist_is_a_problem_as_well(db: testkit::Database) {
        let server = Server::start(db).await;
        for path in ["/", "/api", "/api/nothing", "/admin/api/nothing", "/auth/dev-login/x", "/API/question-set"] {
            server.client.get(path).await.problem(404, "C_004");
        }
        for (method, path) in [
            (Method::GET, "/auth/dev-login"),
            (Method::PUT, "/api/question-set"),
            (Method::DELETE, "/api/marking"),
            (Method::POST, "/healthz"),
            (Method::GET, "/storage/uploads/x"),
        ] {
            let answer = server.client.request(method, path).send().await;
            assert!(!answer.header("allow").is_empty(), "{path}");
            answer.problem(405, "C_005");
        }
    }

    async fn a_null_character_is_refused_before_a_database_chokes_on_it(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let text = "a\u{0}b";
        let source = json!({"fileName": "a.txt", "contentType": "text/plain", "fileSize": 5});
        let upload = |field: &str| {
            let mut body = source.clone();
            body[field] = json!(text);
            body
        };
        let set = json!({"difficulty": text, "questionCount": 1, "type": text, "sourceIds": [1], "title": text});
        let answer = json!([{"questionId": 1, "memberAnswer": text, "memberAnswerType": "string"}]);
        for (path, body) in [
            ("/auth/dev-login", json!({"email": "a\u{0}@pullit.test"})),
            ("/auth/dev-login", json!({"email": "b@pullit.test", "name": text})),
            ("/api/learning/source/upload", upload("fileName")),
            ("/api/learning/source/upload", upload("contentType")),
            ("/api/question-set", set),
            ("/api/marking", answer),
        ] {
            let answer = member.client.post(path, &body).await;
            assert!(answer.status.is_client_error(), "{path} {body}: {} {}", answer.status, answer.text);
        }
        let path = "/api/notifications/subscribe?lastEventId=%00";
        assert_eq!(member.stream_at(path).await.next().await.event, "reconnection");
    }

    async fn an_answer_carries_its_request_id_and_is_not_sniffed(db: testkit::Database) {
        let server = Server::start(db).await;
        let answer = server.client.get("/healthz").await;
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let named = server.client.request(Method::GET, "/healthz").header("x-request-id", "ours-1").send().await;
        assert_eq!(named.header("x-request-id"), "ours-1");
    }

    async fn front_ends_that_are_configured_may_call_with_credentials_and_no_others(db: testkit::Database) {
        let origins = vec!["https://app.pullit.example".to_owned()];
        let server = Setup::new().config(|config| config.http.cors_origins = origins).start(db).await;
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            let allowed = preflight(&server, "https://app.pullit.example", method).await;
            assert!(allowed.status.is_success());
            assert_eq!(allowed.header("access-control-allow-origin"), "https://app.pullit.example");
            assert_eq!(allowed.header("access-control-allow-credentials"), "true");
            assert!(allowed.header("access-control-allow-methods").contains(method));
            let headers = allowed.header("access-control-allow-headers").to_ascii_lowercase();
            for header in ["authorization", "content-type", "idempotency-key", "last-event-id"] {
                assert!(headers.contains(header), "{header}");
            }
        }
        for origin in ["https://evil.example", "https://app.pullit.example.evil.example", "http://localhost:5173", "null"] {
            let refused = preflight(&server, origin, "GET").await;
            assert_eq!(refused.header("access-control-allow-origin"), "", "{origin}");
        }
        // Errors are readable for the front end, too.
        let error = server.client.request(Method::GET, "/api/members/me").header("origin", "https://app.pullit.example");
        let error = error.send().await;
        assert_eq!(error.header("access-control-allow-origin"), "https://app.pullit.example");
        error.problem(401, "A_001");
    }
}
