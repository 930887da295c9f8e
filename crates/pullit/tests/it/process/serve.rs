//! `pullit serve`, from its first line to its end.

use std::time::{Duration, Instant};

use testkit::http::Client;
use testkit::process::Pullit;
use testkit::sse::SseReader;

use super::on;
use crate::support::BOUND;

/// What the contract gives a node to end.
const TERMINATION: Duration = Duration::from_secs(20);

testkit::on_each_database! {
    async fn serve_says_where_it_listens_is_ready_and_ends_in_order(db: testkit::Database) {
        let mut node = on(&db).start().await;
        // The announcement is some lines, and a start is over with the first.
        for line in ["Pullit is listening on http://127.0.0.1:", "/auth/dev-login", "/docs", "/admin"] {
            node.wait_for_output(line, BOUND).await;
        }
        let client = Client::new(node.base_url());
        let ready = client.get("/readyz").await.expect(200);
        assert_eq!(ready["ready"], true, "{ready}");

        let token = client.dev_login("one@example.com").await;
        let mut stream = SseReader::connect(&client.url("/api/notifications/subscribe"), Some(&token), None).await;
        stream.next_named("heartbeat").await;

        let asked = Instant::now();
        let status = node.terminate().await;
        let took = asked.elapsed();
        assert_eq!(status.code(), Some(0), "{}", node.output());
        assert!(took < TERMINATION, "an open stream held the node for {took:?}");
        stream.rest().await;
        assert!(stream.retry().is_some(), "the browser is told when to come back");
    }

    async fn a_node_that_comes_back_knows_its_members(db: testkit::Database) {
        let mut node = on(&db).start().await;
        let client = Client::new(node.base_url());
        let token = client.dev_login("one@example.com").await;
        let me = client.get("/api/members/me").await.expect(200);
        assert_eq!(node.terminate().await.code(), Some(0));

        let node = node.restartable().start().await;
        let client = Client::new(node.base_url());
        client.set_bearer(Some(&token));
        assert_eq!(client.get("/api/members/me").await.expect(200), me, "the secret was kept");
    }
}

#[tokio::test]
async fn a_node_that_may_open_few_files_refuses_streams_and_goes_on_answering() {
    let binary = env!("CARGO_BIN_EXE_pullit");
    let limited = "ulimit -Sn 100; ulimit -Hn 400; exec \"$0\" serve";
    let node = Pullit::command("/bin/sh")
        .args(["-c", limited, binary])
        .env("PULLIT_LIMITS__STREAMS_PER_MEMBER", "1000")
        .start()
        .await;
    node.wait_for_output("notification.streams is more than", BOUND)
        .await;
    let client = Client::new(node.base_url());
    let token = client.dev_login("one@example.com").await;
    let url = client.url("/api/notifications/subscribe");
    let mut open = Vec::new();
    let refused = loop {
        let mut stream = SseReader::connect(&url, Some(&token), None).await;
        match stream.next_or_end().await {
            Some(_) => open.push(stream),
            None => break stream,
        }
    };
    assert!(refused.retry().unwrap() >= Duration::from_secs(60));
    // The limit that it began with was raised to what it may have.
    assert!((100..400).contains(&open.len()), "{}", open.len());
    client.get("/readyz").await.expect(200);
    for stream in [0, open.len() - 1] {
        open[stream].next_named("heartbeat").await;
    }
}
