//! `Idempotency-Key`: the same key answers the same and acts once.

use chrono::TimeDelta;
use serde_json::{Value, json};
use testkit::http::{Answer, Method};

use crate::support::{Member, Problem, Server, Setup, StubGenerator, right_answers};

async fn quick(db: testkit::Database) -> Server {
    Setup::new().generator(StubGenerator::new()).start(db).await
}

async fn keyed(member: &Member, path: &str, key: &str, body: &Value) -> Answer {
    let request = member.client.request(Method::POST, path);
    request
        .header("idempotency-key", key)
        .json(body)
        .send()
        .await
}

fn ask(source: i64) -> Value {
    json!({"difficulty": "EASY", "questionCount": 2, "type": "TRUE_FALSE", "sourceIds": [source]})
}

testkit::on_each_database! {
    async fn a_set_asked_for_twice_with_one_key_is_one_set(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let first = keyed(&member, "/api/question-set", "k", &ask(source)).await;
        let again = keyed(&member, "/api/question-set", "k", &ask(source)).await;
        assert_eq!(first.header("location"), again.header("location"));
        assert_eq!(first.expect(201), again.expect(201));
        let body = ask(source);
        let (one, other) = tokio::join!(
            keyed(&member, "/api/question-set", "at once", &body),
            keyed(&member, "/api/question-set", "at once", &body)
        );
        assert_eq!(one.expect(201), other.expect(201));
        assert_eq!(server.number("SELECT COUNT(*) FROM question_set").await, 2);
        server.settled().await;
        assert_eq!(server.number("SELECT COUNT(*) FROM notification").await, 2);
    }

    async fn a_marking_sent_twice_with_one_key_counts_once(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 2).await;
        let answers = right_answers(&set);
        let first = keyed(&member, "/api/marking", "k", &answers).await.expect(200);
        // What has changed since does not change the answer.
        let id = set["id"].as_i64().unwrap();
        member.client.delete(&format!("/api/question-set/{id}")).await.expect(200);
        assert_eq!(keyed(&member, "/api/marking", "k", &answers).await.expect(200), first);
        assert_eq!(server.number("SELECT COUNT(*) FROM marking_result").await, 2);
        server.settled().await;
        assert_eq!(member.stats().await["totalSolvedQuestionCount"], 2);
    }

    async fn two_markings_at_once_with_one_key_count_once(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 2).await;
        let answers = right_answers(&set);
        let (one, other, third) = tokio::join!(
            keyed(&member, "/api/marking", "k", &answers),
            keyed(&member, "/api/marking", "k", &answers),
            keyed(&member, "/api/marking", "k", &answers)
        );
        let one = one.expect(200);
        assert_eq!(one, other.expect(200));
        assert_eq!(one, third.expect(200));
        assert_eq!(server.number("SELECT COUNT(*) FROM marking_result").await, 2);
        assert_eq!(server.number("SELECT solved_question_count FROM learn_stats_daily").await, 2);
    }

    async fn a_key_used_for_another_request_is_refused(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        keyed(&member, "/api/question-set", "k", &ask(source)).await.expect(201);
        let mut other = ask(source);
        other["questionCount"] = json!(3);
        keyed(&member, "/api/question-set", "k", &other).await.problem(422, "C_009");
        assert_eq!(server.number("SELECT COUNT(*) FROM question_set").await, 1);
        let set = member.complete_set(&[source], "TRUE_FALSE", 2).await;
        // Keys of one endpoint are none of the other's.
        let answers = right_answers(&set);
        keyed(&member, "/api/marking", "k", &answers).await.expect(200);
        keyed(&member, "/api/marking", "k", &json!([answers[0]])).await.problem(422, "C_009");
        assert_eq!(server.number("SELECT COUNT(*) FROM marking_result").await, 2);
    }

    async fn members_keys_are_their_own(db: testkit::Database) {
        let server = quick(db).await;
        let (member, other) = (server.member("a@pullit.test").await, server.member("b@pullit.test").await);
        let mine = server.ready_source(member.id, "text").await;
        let theirs = server.ready_source(other.id, "text").await;
        let one = keyed(&member, "/api/question-set", "k", &ask(mine)).await.expect(201);
        let two = keyed(&other, "/api/question-set", "k", &ask(theirs)).await.expect(201);
        assert_ne!(one["id"], two["id"]);
    }

    async fn a_key_is_new_again_after_a_day(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let first = keyed(&member, "/api/question-set", "k", &ask(source)).await.expect(201);
        server.clock.advance(TimeDelta::hours(23));
        member.client.dev_login("a@pullit.test").await;
        assert_eq!(keyed(&member, "/api/question-set", "k", &ask(source)).await.expect(201), first);
        server.clock.advance(TimeDelta::hours(1) + TimeDelta::seconds(1));
        member.client.dev_login("a@pullit.test").await;
        let second = keyed(&member, "/api/question-set", "k", &ask(source)).await.expect(201);
        assert_ne!(second["id"], first["id"]);
    }

    async fn a_request_that_was_refused_leaves_its_key_free(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        keyed(&member, "/api/question-set", "k", &ask(999_999)).await.problem(404, "S_001");
        keyed(&member, "/api/question-set", "k", &ask(source)).await.expect(201);
    }

    async fn a_key_that_cannot_be_used_is_named(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        for key in ["", &"k".repeat(256)] {
            let answer = keyed(&member, "/api/question-set", key, &ask(source)).await;
            assert_eq!(answer.wrong_fields(), ["Idempotency-Key"]);
        }
    }
}
