//! PgBouncer in transaction mode between the nodes and PostgreSQL.

use std::time::Duration;

use futures::future::join_all;
use ground::Statements;
use serde_json::Value;
use testkit::server::PgBouncer;

use super::{member_of, pullit, readiness};
use crate::support::{Member, files, right_answers};

const MEMBERS: usize = 8;
const MARKINGS: usize = 250;

/// A set made and marked over and over.
async fn study(member: Member) -> Member {
    let text = files::ENGLISH.as_bytes();
    let source = member.upload("cells.txt", files::TEXT, text).await;
    member.read_source(source).await;
    // The owner is told on a stream, by whichever node has stored it.
    let mut stream = member.stream().await;
    let set = member.complete_set(&[source], "TRUE_FALSE", 3).await;
    let told = stream.next_named("questionSetCreationComplete").await;
    let told: Value = serde_json::from_str(&told.data).unwrap();
    assert_eq!(told["questionSetId"], set["id"]);
    let answers = right_answers(&set);
    for _ in 0..MARKINGS {
        let marked = member.mark(&answers).await.expect(200);
        assert_eq!(marked["correctCount"], 3);
    }
    member
}

/// With and without a way past the pooler.
async fn two_thousand_markings(listens: bool) {
    let database = testkit::postgres::Database::create().await;
    let pooler = PgBouncer::start(database.url(), 6).await;
    let command = pullit()
        .env("PULLIT_DATABASE__URL", pooler.url())
        .env("PULLIT_DATABASE__POOLER", "transaction")
        .env(
            "PULLIT_DATABASE__LISTEN_URL",
            if listens { database.url() } else { "" },
        );
    let (mut first, second) = tokio::join!(command.start(), command.start());
    for node in [&first, &second] {
        assert_eq!(readiness(node).await.status, 200);
    }
    let mut members = Vec::new();
    for number in 0..MEMBERS {
        let node = if number % 2 == 0 { &first } else { &second };
        members.push(member_of(node, &format!("m{number}@example.com")).await);
    }
    let done = join_all(members.into_iter().map(study)).await;
    let db = database.connect().await;
    let results: Option<i64> = db
        .scalar("SELECT COUNT(*) FROM marking_result", vec![])
        .await
        .unwrap();
    assert_eq!(results, Some((MEMBERS * MARKINGS * 3) as i64));
    for member in done {
        testkit::wait::until(
            "the statistics are complete",
            Duration::from_secs(30),
            async || member.stats().await["totalSolvedQuestionCount"] == MARKINGS * 3,
        )
        .await;
    }
    assert_eq!(
        first.terminate().await.code(),
        Some(0),
        "{}",
        first.output()
    );
    assert!(
        !first.output().contains("prepared statement"),
        "{}",
        first.output()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_markings_through_a_pooler_meet_no_error() {
    two_thousand_markings(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_way_past_the_pooler_work_is_found_by_looking() {
    two_thousand_markings(false).await;
}
