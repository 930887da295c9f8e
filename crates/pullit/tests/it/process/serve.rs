use std::time::{Duration, Instant};

use testkit::http::Client;
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
