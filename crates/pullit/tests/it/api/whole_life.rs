//! The whole life of a question set, on real documents and real questions.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::Method;
use testkit::wait;

use crate::support::files::EXAMPLES;
use crate::support::{BOUND, Server, right_answers, wrong_answers};

testkit::on_each_database! {
    async fn a_document_becomes_questions_that_are_solved_and_counted(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let mut stream = member.stream().await;
        stream.next_named("handShakeComplete").await;
        let mut solved = 0;
        for (round, example) in EXAMPLES.iter().enumerate() {
            let source = member.upload(example.name, example.content_type, example.bytes).await;
            // Not waited for: the set waits for its source by itself.
            let kind = ["MULTIPLE_CHOICE", "TRUE_FALSE", "SHORT_ANSWER"][round % 3];
            let body = json!({"difficulty": "MEDIUM", "questionCount": 5, "type": kind, "sourceIds": [source]});
            let request = member.client.request(Method::POST, "/api/question-set");
            let asked = request.header("idempotency-key", example.name).json(&body).send().await.expect(201);

            let set = member.made_set(asked["id"].as_i64().unwrap()).await.expect(200);
            let done = stream.next_named("questionSetCreationComplete").await;
            let payload: Value = serde_json::from_str(&done.data).unwrap();
            assert_eq!((&payload["success"], &payload["questionSetId"]), (&json!(true), &asked["id"]), "{payload}");
            assert_eq!(set["questions"].as_array().unwrap().len(), 5);
            assert_eq!(member.source(source).await["status"], "READY");

            let answers = if round == 0 { wrong_answers(&set) } else { right_answers(&set) };
            let marks = member.mark(&answers).await.expect(200);
            assert_eq!(marks["correctCount"], if round == 0 { 0 } else { 5 }, "{set}");
            solved += 5;
            wait::until("the stats follow", Duration::from_secs(10), async || {
                member.stats().await["totalSolvedQuestionCount"] == solved
            })
            .await;
        }
        let stats = member.stats().await;
        assert_eq!((&stats["totalQuestionSetCount"], &stats["totalSolvedQuestionSetCount"]), (&json!(5), &json!(5)));
        wait::until("all is solved", BOUND, async || {
            member.client.get("/api/question-set").await.expect(200)["learningProgress"] == 100
        })
        .await;
        server.stop().await;
    }
}
