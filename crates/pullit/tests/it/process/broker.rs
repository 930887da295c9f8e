//! Nodes that share their work by way of RabbitMQ.

use std::time::Duration;

use ground::Statements;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::http::Client;
use testkit::process::{Command, Pullit};
use testkit::proxy::Proxy;
use testkit::{Database, amqp, wait};

use super::{expect, on, refused};
use crate::support::{BOUND, Member, files};

fn node(database: &Database, url: &str, prefix: &str) -> Command {
    on(database)
        .env("PULLIT_BROKER__URL", url)
        .env("PULLIT_BROKER__PREFIX", prefix)
}

async fn sign_in(node: &Pullit) -> Member {
    let client = Client::new(node.base_url());
    client.dev_login("one@example.com").await;
    let me = client.get("/api/members/me").await.expect(200);
    let id = me["id"].as_i64().unwrap();
    Member { id, client }
}

async fn readiness(node: &Pullit) -> Value {
    Client::new(node.base_url()).get("/readyz").await.json
}

async fn asks_for_a_set(member: &Member) -> i64 {
    let text = files::ENGLISH.as_bytes();
    let source = member.upload("cells.txt", files::TEXT, text).await;
    member.read_source(source).await;
    member.ask(&[source], "TRUE_FALSE", 3).await
}

async fn number(db: &ground::Database, select: &str) -> i64 {
    let sql = format!("SELECT CAST(({select}) AS BIGINT)");
    let number = db.scalar(AssertSqlSafe(sql), vec![]).await;
    number.unwrap().unwrap()
}

testkit::on_each_database! {
    #![tokio_test(flavor = "multi_thread", worker_threads = 2)]

    async fn a_node_that_starts_before_its_broker_is_not_ready_and_makes_the_set_when_the_broker_comes(db: testkit::Database) {
        let network = Proxy::start(amqp::address()).await;
        network.close();
        let command = node(&db, &amqp::url_through(network.address()), &amqp::prefix());
        let mut node = command.start().await;
        let ready = readiness(&node).await;
        assert_eq!((&ready["ready"], &ready["broker"]), (&Value::from(false), &Value::from("down")));
        assert_eq!(ready["roles"]["worker"], json!({"ready": false, "waits_for": ["broker"]}));
        let client = Client::new(node.base_url());
        client.get("/readyz?role=worker").await.expect(503);
        for role in ["api", "relay", "scheduler"] {
            client.get(&format!("/readyz?role={role}")).await.expect(200);
        }
        let said = node.output().matches("not ready: a part that is needed is down").count();
        assert_eq!(said, 1, "one line for each change, and not for each probe: {}", node.output());
        let member = sign_in(&node).await;
        let set = asks_for_a_set(&member).await;
        assert_eq!(member.set(set).await.json["code"], "Q_002", "it is PENDING");

        network.open();
        let made = member.made_set(set).await.expect(200);
        assert_eq!(made["questions"].as_array().unwrap().len(), 3);
        assert_eq!(readiness(&node).await["ready"], true);
        let rows = db.connect().await;
        assert_eq!(number(&rows, "SELECT count(*) FROM outbox_event").await, 0);
        assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
        assert!(!node.output().contains("guest:guest"), "no password in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_work_of_a_worker_that_is_killed_is_done_by_another() {
    let db = Database::postgres().await;
    let command = node(&db, &amqp::url(), &amqp::prefix());
    let as_worker = || {
        let worker = command.clone().args(["serve", "--roles", "worker"]);
        // So long the turn at the set stays with the one that died.
        worker.env("PULLIT_WORKER__LEASE", "2s")
    };
    let front = command
        .clone()
        .args(["serve", "--roles", "api,relay,scheduler"])
        .start()
        .await;
    let member = sign_in(&front).await;
    // Reading documents is the workers' too, so one must be there for that and gone before the set is asked for.
    let text = files::ENGLISH.as_bytes();
    let source = member.upload("cells.txt", files::TEXT, text).await;
    let reader = as_worker().launch();
    member.read_source(source).await;
    drop(reader);
    let set = member.ask(&[source], "TRUE_FALSE", 3).await;

    // Whoever has made the questions waits here with the work in hand.
    let rows = db.connect().await;
    let mut held = rows.begin().await.unwrap();
    let lock = "SELECT id FROM question_set WHERE id = $1 FOR UPDATE";
    held.run(lock, vec![set.into()]).await.unwrap();
    let mut first = as_worker().launch();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait::until("the first worker has the work", BOUND, async || {
        number(&rows, waiting).await > 0
    })
    .await;
    let _second = as_worker().launch();
    first.kill_9();
    held.rollback().await;
    let made = member.made_set(set).await.expect(200);
    assert_eq!(made["questions"].as_array().unwrap().len(), 3);
    wait::until("everything is told", BOUND, async || {
        number(&rows, "SELECT count(*) FROM outbox_event").await == 0
    })
    .await;
    let told = number(&rows, "SELECT count(*) FROM notification").await;
    assert_eq!(told, 1, "it is told once");
}

#[tokio::test]
async fn commands_that_need_no_broker_do_not_ask_for_it() {
    let db = Database::sqlite();
    let command = node(&db, "amqp://guest:hunter2@127.0.0.1:1/%2f", "pullit");
    expect(&command.run(["migrate"]).await, 0);
    expect(&command.run(["jobs", "list", "--json"]).await, 0);
    expect(&command.run(["outbox", "list", "--json"]).await, 0);
    let shown = command.run(["config", "show"]).await;
    expect(&shown, 0);
    assert!(shown.stdout.contains("amqp://guest:"), "{shown:#?}");
    assert!(!shown.stdout.contains("hunter2"), "{shown:#?}");
}

#[tokio::test]
async fn a_queue_that_was_made_otherwise_stops_the_start_with_what_to_do() {
    let prefix = amqp::prefix();
    let connection = Connection::connect(&amqp::url(), ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let queue = format!("{prefix}.question-generation");
    channel
        .queue_declare(queue.as_str().into(), durable, FieldTable::default())
        .await
        .unwrap();
    let db = Database::sqlite();
    let command = node(&db, &amqp::url(), &prefix).bound(Duration::from_secs(60));
    let finished = command.run(["serve"]).await;
    expect(&finished, 1);
    refused(&finished, 1, &queue);
    refused(&finished, 1, "broker.prefix");
}
