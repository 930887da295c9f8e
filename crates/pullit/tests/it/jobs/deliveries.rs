//! Events of the outbox and their effects.

use std::time::Duration;

use pullit::server::{Roles, Running};
use testkit::http::Client;
use testkit::sse::SseReader;
use tokio::net::TcpListener;

use super::bench::{Bench, HEARTBEAT, RELAY};

pub(crate) const API_ONLY: Roles = Roles {
    api: true,
    scheduler: false,
    relay: false,
    worker: false,
};

impl Bench {
    /// Answers HTTP, and nothing else.
    pub(crate) async fn listen(&self) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Running::start(self.app.clone(), API_ONLY, listener)
            .await
            .unwrap()
    }
}

pub(crate) fn client(running: &Running) -> Client {
    Client::new(&format!("http://{}", running.address))
}

const EVENT: &str = "'e0000000-0000-4000-8000-00000000000";

testkit::on_each_database! {
    async fn what_a_script_puts_into_the_outbox_has_its_effect_and_is_gone(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.sql(&format!(
            "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload, status, attempts, next_attempt_at, created_at) \
             VALUES (41, {EVENT}1', 'QUESTION_SET_COMPLETED', 'question-set:9', \
             '{{\"version\":1,\"questionSetId\":9,\"memberId\":1,\"title\":\"세포\"}}', 'PENDING', 0, \
             '2026-11-22T09:00:00.000000+00:00', '2026-11-22T09:00:00.000000+00:00'), \
             (42, {EVENT}2', 'WEEKLY_RESET', 'member:1', '{{\"memberId\":1,\"week\":\"2026-W47\"}}', 'PENDING', 0, \
             '2026-11-22T09:00:00.000000+00:00', '2026-11-22T09:00:00.000000+00:00'), \
             (43, {EVENT}3', 'WEEKLY_RESET', 'member:1', '{{\"memberId\":1,\"week\":\"2026-W47\"}}', 'DEAD', 9, \
             '2026-11-22T09:00:00.000000+00:00', '2026-11-22T09:00:00.000000+00:00')"
        ))
        .await;
        assert_eq!(bench.run(RELAY).await.affected, 2);
        let told = bench.told().await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].payload["questionSetId"], 9);
        assert!(told[0].payload["message"].as_str().unwrap().contains("세포"));
        assert_eq!(bench.number("SELECT count(*) FROM learn_stats WHERE member_id = 1").await, 1);
        assert_eq!(bench.numbers("SELECT id FROM outbox_event").await, [43], "dead letters wait for an operator");
        assert_eq!(bench.run(RELAY).await.affected, 0);
        assert_eq!(bench.told().await.len(), 1);
    }

    async fn an_event_of_a_version_that_is_not_known_is_kept_and_has_no_effect(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T10:00:00Z", |config| config.outbox.attempts = 1).await;
        bench.members(1..=1).await;
        let types = ["QUESTION_GENERATION_REQUESTED", "QUESTION_SET_COMPLETED", "QUESTION_SET_FAILED", "QUESTION_SET_SOLVED", "WEEKLY_RESET"];
        for (n, event_type) in (1..).zip(types) {
            bench.sql(&format!(
                "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload) VALUES ({EVENT}{n}', '{event_type}', 'key:{n}', \
                 '{{\"version\":2,\"questionSetId\":9,\"attempt\":0,\"memberId\":1,\"title\":\"x\",\"reason\":\"R\",\"message\":\"m\", \
                 \"willRetry\":false,\"week\":\"2026-W47\",\"activityDate\":\"2026-11-22\",\"questionCount\":1,\"correctCount\":1,\"questionSetIds\":[]}}')"
            ))
            .await;
        }
        assert_eq!(bench.run(RELAY).await.affected, 0);
        let kept = bench.texts("SELECT last_error FROM outbox_event WHERE status = 'DEAD'").await;
        assert_eq!(kept.len(), 5);
        assert!(kept.iter().all(|error| error.contains("version 2, and this program knows versions 1 to 1")), "{kept:?}");
        assert!(bench.told().await.is_empty());
        assert_eq!(bench.number("SELECT (SELECT count(*) FROM work_item) + (SELECT count(*) FROM learn_stats)").await, 0);
    }

    async fn a_heartbeat_reaches_every_open_stream(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        assert_eq!(bench.run(HEARTBEAT).await.affected, 0);
        let running = bench.listen().await;
        let mut streams = Vec::new();
        for email in ["one@example.com", "one@example.com", "two@example.com"] {
            let client = client(&running);
            let token = client.dev_login(email).await;
            let url = client.url("/api/notifications/subscribe");
            let mut stream = SseReader::connect(&url, Some(&token), None).await;
            stream.next_named("handShakeComplete").await;
            streams.push(stream);
        }
        assert_eq!(bench.run(HEARTBEAT).await.affected, 3);
        for stream in &mut streams {
            let beat = stream.next_named("heartbeat").await;
            assert_eq!((beat.data.as_str(), beat.id), ("ping", None));
        }
        streams.pop();
        testkit::wait::until("the closed stream is forgotten", Duration::from_secs(20), async || {
            bench.run(HEARTBEAT).await.affected == 2
        })
        .await;
        drop(streams);
        running.stop().await;
    }
}
