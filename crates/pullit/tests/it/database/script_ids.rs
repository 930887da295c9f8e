//! Scripts may give ids of their own; the service's never collide with them later.

use ground::Statements;
use serde_json::json;
use sqlx::AssertSqlSafe;
use testkit::Database;

use super::member_of;
use crate::process::{expect, on};
use crate::support::{BOUND, files};

testkit::on_each_database! {
    #![tokio_test(flavor = "multi_thread", worker_threads = 2)]

    async fn ids_of_scripts_are_passed_by_in_every_table(database: Database) {
        expect(&on(&database).run(["migrate"]).await, 0);
        let db = database.connect().await;
        // Each a few ahead of what the service would give next.
        for statement in [
            "INSERT INTO member (id, name, email) VALUES (2, 'script', 'script@example.com')",
            "INSERT INTO member (id, name, email) VALUES (7, 'script', 'another@example.com')",
            "INSERT INTO source (id, member_id, original_name, content_type, file_path, file_size_bytes, status)
             VALUES (1, 2, 'a.txt', 'text/plain', 'none', 1, 'FAILED'), (3, 2, 'b.txt', 'text/plain', 'nothing', 1, 'FAILED')",
            "INSERT INTO question_set (id, owner_id, title, difficulty, type, question_length, status)
             VALUES (1, 2, 't', 'EASY', 'TRUE_FALSE', 1, 'COMPLETE')",
            "INSERT INTO question (id, question_set_id, position, question_type, question_text, answer, explanation)
             VALUES (1, 1, 1, 'TRUE_FALSE', 'q', 'true', 'e'), (4, 1, 2, 'TRUE_FALSE', 'r', 'true', 'e')",
            "INSERT INTO marking_result (id, member_id, question_id, is_correct) VALUES (2, 2, 1, true)",
            "INSERT INTO learn_stats_daily (id, member_id, activity_date, solved_question_count, solved_question_set_count)
             VALUES (1, 2, '2026-01-01', 1, 0)",
            "INSERT INTO notification (id, member_id, event_name, payload) VALUES (1, 2, 'x', '{}')",
            "INSERT INTO job_run (id, job_name, scheduled_at, started_at, finished_at, node, status, cause)
             VALUES (1, 'x', '2026-01-01T00:00:00.000000+00:00', '2026-01-01T00:00:00.000000+00:00',
                     '2026-01-01T00:00:00.000000+00:00', 'script', 'SUCCEEDED', 'MANUAL')",
        ] {
            db.run(AssertSqlSafe(statement.to_owned()), vec![]).await.unwrap();
        }
        for id in [1, 3] {
            let publish = format!(
                "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload)
                 VALUES ({id}, '{}', 'UNKNOWN', 'k', '{{}}')",
                uuid::Uuid::now_v7()
            );
            db.run(AssertSqlSafe(publish), vec![]).await.unwrap();
        }

        let mut node = on(&database).start().await;
        for number in 0..10 {
            member_of(&node, &format!("m{number}@example.com")).await;
        }
        let member = member_of(&node, "one@example.com").await;
        let source = member.upload("cells.txt", files::TEXT, files::ENGLISH.as_bytes()).await;
        member.read_source(source).await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 5).await;
        let answers = crate::support::right_answers(&set);
        for _ in 0..3 {
            member.mark(&answers).await.expect(200);
        }
        expect(&on(&database).run(["jobs", "run", "validateConsecutiveLearning"]).await, 0);
        assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
        assert!(!node.output().contains("duplicate key"), "{}", node.output());
        let scripts: Vec<i64> = db.scalars("SELECT id FROM member WHERE name = 'script' ORDER BY id", vec![]).await.unwrap();
        assert_eq!(json!(scripts), json!([2, 7]));
    }
}

const NEXT: &str = "INSERT INTO member (name, email) VALUES ('n', 'next@example.com') RETURNING id";

async fn insert(tx: &mut ground::Connection<'_>, id: i64) {
    let email = format!("m{id}@example.com");
    let insert = "INSERT INTO member (id, name, email) VALUES ($1, 'n', $2)";
    tx.run(insert, vec![id.into(), email.into()]).await.unwrap();
}

#[tokio::test]
async fn two_scripts_at_once_take_turns_and_leave_the_greater_of_their_ids_behind() {
    let database = Database::postgres().await;
    expect(&on(&database).run(["migrate"]).await, 0);
    let db = database.connect().await;
    let mut first = db.begin().await.unwrap();
    insert(&mut first, 100).await;
    let second = tokio::spawn({
        let db = db.clone();
        async move {
            let mut second = db.begin().await.unwrap();
            insert(&mut second, 200).await;
            second.commit().await.unwrap();
        }
    });
    let waiting = "SELECT COUNT(*) FROM pg_locks JOIN pg_database d ON d.oid = database
        WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted";
    testkit::wait::until("the second waits for its turn", BOUND, async || {
        db.scalar(waiting, vec![]).await.unwrap() == Some(1_i64)
    })
    .await;
    first.commit().await.unwrap();
    second.await.unwrap();
    let next: Option<i64> = db.scalar(NEXT, vec![]).await.unwrap();
    assert_eq!(next, Some(201));
}

#[tokio::test]
async fn an_id_beyond_all_measure_leaves_room_for_those_to_come() {
    let database = Database::postgres().await;
    expect(&on(&database).run(["migrate"]).await, 0);
    let db = database.connect().await;
    let mut tx = db.begin().await.unwrap();
    insert(&mut tx, 1 << 62).await;
    tx.commit().await.unwrap();
    let next: Option<i64> = db.scalar(NEXT, vec![]).await.unwrap();
    assert_eq!(next, Some(1));
}

#[tokio::test]
async fn ids_from_before_the_triggers_are_passed_by_too() {
    let database = Database::postgres().await;
    expect(&on(&database).run(["migrate"]).await, 0);
    let db = database.connect().await;
    // As an earlier version left it.
    db.script(
        "DROP FUNCTION pullit_follow_id CASCADE;
         DROP FUNCTION pullit_follow_ids_of;
         DELETE FROM schema_migration WHERE name = 'script_ids';
         INSERT INTO member (id, name, email) VALUES (50, 'n', 'm50@example.com');
         INSERT INTO notification (id, member_id, event_name, payload) VALUES (1::bigint << 62, 50, 'x', '{}')",
    )
    .await
    .unwrap();
    expect(&on(&database).run(["migrate"]).await, 0);
    let next: Option<i64> = db.scalar(NEXT, vec![]).await.unwrap();
    assert_eq!(next, Some(51));
    let next = "INSERT INTO notification (member_id, event_name, payload) VALUES (50, 'x', '{}') RETURNING id";
    let next: Option<i64> = db.scalar(next, vec![]).await.unwrap();
    assert_eq!(next, Some(1));
}
