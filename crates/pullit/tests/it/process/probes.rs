//! Readiness, role by role.

use ground::Statements;
use serde_json::json;
use sqlx::AssertSqlSafe;
use testkit::http::Client;
use testkit::wait;

use super::on;
use crate::support::BOUND;

testkit::on_each_database! {
    async fn a_node_whose_relay_fails_is_not_ready_to_relay_and_is_ready_for_the_api(db: testkit::Database) {
        let node = on(&db).start().await;
        let client = Client::new(node.base_url());
        let rows = db.connect().await;
        let rename = async |from: &str, to: &str| {
            let sql = format!("ALTER TABLE {from} RENAME TO {to}");
            rows.run(AssertSqlSafe(sql), vec![]).await.unwrap();
        };
        let answered = async |status: u16| {
            wait::until("it is seen whether the relay runs", BOUND, async || {
                client.get("/readyz?role=relay").await.status.as_u16() == status
            })
            .await;
        };
        rename("outbox_event", "elsewhere").await;
        answered(503).await;
        let all = client.get("/readyz").await.expect(503);
        assert_eq!(all["roles"]["relay"], json!({"ready": false, "waits_for": ["relay"]}));
        client.get("/readyz?role=api").await.expect(200);
        rename("elsewhere", "outbox_event").await;
        answered(200).await;
        client.get("/readyz").await.expect(200);
    }

    async fn a_node_without_the_api_answers_probes_on_an_address_of_their_own(db: testkit::Database) {
        let command = on(&db).env("PULLIT_HTTP__PROBES", "127.0.0.1:0");
        let node = command.args(["serve", "--roles", "worker"]).launch();
        node.wait_for_output("/readyz", BOUND).await;
        let output = node.output();
        let (_, url) = output.split_once("Probes:").unwrap();
        let client = Client::new(url.trim().split_once("/readyz").unwrap().0);
        let ready = client.get("/readyz").await.expect(200);
        assert_eq!(ready["roles"], json!({"worker": {"ready": true}}));
        assert!(client.get("/metrics").await.text.contains("outbox_backlog"));
        client.get("/healthz").await.expect(200);
        client.get("/api/members/me").await.expect(404);
        client.get("/readyz?role=api").await.expect(503);
    }
}
