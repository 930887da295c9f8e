//! The server behind the name became a standby, or takes no writes for another reason.

use std::time::Duration;

use serde_json::json;
use sqlx::Connection;
use testkit::http::Client;
use testkit::process::Pullit;
use testkit::server::Postgres;
use testkit::wait;

use super::{member_of, pullit, readiness};
use crate::support::BOUND;

/// How soon a node finds the primary, after there is one.
const SOON: Duration = Duration::from_secs(10);

async fn can_sign_in(node: &Pullit, email: &str) -> bool {
    let body = json!({"email": email});
    let answer = Client::new(node.base_url())
        .post("/auth/dev-login", &body)
        .await;
    assert!(
        matches!(answer.status.as_u16(), 200 | 503),
        "{}",
        answer.text
    );
    if answer.status == 503 {
        assert_eq!(answer.json["code"], "C_008", "{}", answer.text);
    }
    answer.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_a_node_finds_the_primary_among_its_hosts_within_seconds() {
    let mut primary = Postgres::start().await;
    let hosts = |first: &Postgres, second: &Postgres| {
        format!(
            "postgres://postgres@{},{}/postgres?target_session_attrs=read-write",
            first.address(),
            second.address()
        )
    };
    let migrated = pullit().env("PULLIT_DATABASE__URL", primary.url());
    assert!(migrated.run(["migrate"]).await.status.success());
    let standby = primary.standby().await;
    let command = pullit().env("PULLIT_DATABASE__URL", hosts(&standby, &primary));
    let mut node = command.start().await;
    assert_eq!(readiness(&node).await.status, 200);
    assert!(can_sign_in(&node, "before@example.com").await);

    primary.crash().await;
    wait::until("the node is not ready", BOUND, async || {
        readiness(&node).await.status == 503
    })
    .await;
    standby.promote().await;
    wait::until("the node is ready again", SOON, async || {
        readiness(&node).await.status == 200
    })
    .await;
    wait::until("members can sign in again", SOON, async || {
        can_sign_in(&node, "after@example.com").await
    })
    .await;
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_an_outage_and_the_readiness_says_so() {
    let server = Postgres::start().await;
    let node = pullit()
        .env("PULLIT_DATABASE__URL", server.url())
        .start()
        .await;
    let member = member_of(&node, "one@example.com").await;
    let rows = testkit::postgres::Database::create_on(&server.url()).await;
    let mut admin = sqlx::PgConnection::connect(rows.url()).await.unwrap();
    // Or its transactions would be read only themselves.
    sqlx::raw_sql("SET default_transaction_read_only = off")
        .execute(&mut admin)
        .await
        .unwrap();
    let mut read_only = async |on: bool| {
        let on = if on { "on" } else { "off" };
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
        for statement in [set.as_str(), "SELECT pg_reload_conf()"] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&mut admin)
                .await
                .unwrap();
        }
    };
    read_only(true).await;
    wait::until("the node is not ready", BOUND, async || {
        let answer = readiness(&node).await;
        answer.status == 503 && answer.json["database"] == "down"
    })
    .await;
    // Reads go on.
    member.client.get("/api/learning/source").await.expect(200);
    let upload = json!({"fileName": "a.txt", "contentType": "text/plain", "fileSize": 5});
    let answer = member
        .client
        .post("/api/learning/source/upload", &upload)
        .await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(answer.json["code"], "C_008");

    read_only(false).await;
    wait::until("the node is ready again", SOON, async || {
        readiness(&node).await.status == 200
    })
    .await;
    wait::until("members can sign in again", SOON, async || {
        can_sign_in(&node, "two@example.com").await
    })
    .await;
}
