//! What one node does and another carries on with.

use pullit::platform::config::{JobConfig, Span};
use pullit::server::Roles;
use testkit::Database;
use testkit::http::Method;

use crate::support::{Server, Setup};

const NOTHING: Roles = Roles {
    api: false,
    scheduler: false,
    relay: false,
    worker: false,
};
const API: Roles = Roles {
    api: true,
    ..NOTHING
};
const RELAY: Roles = Roles {
    relay: true,
    ..NOTHING
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Asks for a question set, which publishes.
async fn ask(server: &Server, traceparent: Option<&str>) {
    let member = server.member("kim@pullit.test").await;
    let source = member.upload("a.txt", "text/plain", b"Cells live.").await;
    let body = serde_json::json!({"difficulty": "EASY", "questionCount": 1, "type": "TRUE_FALSE", "sourceIds": [source]});
    let mut request = member
        .client
        .request(Method::POST, "/api/question-set")
        .json(&body);
    if let Some(trace) = traceparent {
        request = request.header("traceparent", trace);
    }
    request.send().await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_on_a_node_without_a_relay_wakes_that_of_another_which_would_not_look_for_an_hour()
 {
    let api = Setup::new()
        .roles(API)
        .start(Database::postgres().await)
        .await;
    let once_an_hour = JobConfig {
        every: Some(Span::hours(1)),
        ..JobConfig::default()
    };
    let relay = Setup::new()
        .config(|config| {
            config
                .jobs
                .insert("relayOutboxEvents".to_owned(), once_an_hour);
        })
        .roles(RELAY)
        .start_beside(&api)
        .await;
    // It looks once by itself, when it begins to listen; not a second and a third time.
    for asked in 1..=3 {
        ask(&api, None).await;
        api.until_number("SELECT COUNT(*) FROM work_item", asked)
            .await;
    }
    relay.stop().await;
    api.stop().await;
}

testkit::on_each_database! {
    async fn what_a_request_publishes_belongs_to_the_trace_that_its_caller_named(db: testkit::Database) {
        let server = Setup::new().roles(API).start(db).await;
        ask(&server, Some(TRACE)).await;
        let published = server.text("SELECT traceparent FROM outbox_event", vec![]).await;
        assert!(published.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{published}");
        assert_ne!(published, TRACE, "the request is a step of its own");

        server.change("DELETE FROM outbox_event", vec![]).await;
        ask(&server, Some("00-nonsense")).await;
        let published = server.text("SELECT traceparent FROM outbox_event", vec![]).await;
        assert_eq!(published.len(), TRACE.len());
        assert!(!published.contains("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    async fn what_a_job_publishes_belongs_to_a_trace_of_its_run(db: testkit::Database) {
        let server = Setup::new().roles(API).start(db).await;
        for email in ["kim@pullit.test", "lee@pullit.test"] {
            server.member(email).await;
        }
        server.ran("triggerWeeklyResetAndRecalibration").await;
        let traces = server.number("SELECT COUNT(DISTINCT traceparent) FROM outbox_event").await;
        let events = server.number("SELECT COUNT(traceparent) FROM outbox_event").await;
        assert_eq!((traces, events), (1, 2));
    }
}
