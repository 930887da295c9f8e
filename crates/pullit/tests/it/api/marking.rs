//! `/api/marking`

use serde_json::{Value, json};

use crate::support::{Member, Problem, Server, Setup, StubGenerator, right_answers, wrong_answers};

async fn quick(db: testkit::Database) -> Server {
    Setup::new().generator(StubGenerator::new()).start(db).await
}

/// Answers one question; whether it was right.
async fn marked(member: &Member, question: &Value, answer: Value) -> bool {
    let kind = if answer.is_boolean() {
        "boolean"
    } else {
        "string"
    };
    let body =
        json!([{"questionId": question["id"], "memberAnswer": answer, "memberAnswerType": kind}]);
    let marks = member.mark(&body).await.expect(200);
    marks["results"][0]["isCorrect"].as_bool().unwrap()
}

async fn nothing_is_stored(server: &Server) {
    assert_eq!(
        server.number("SELECT COUNT(*) FROM marking_result").await,
        0
    );
    assert_eq!(
        server
            .number("SELECT COUNT(*) FROM learn_stats_daily")
            .await,
        0
    );
    assert_eq!(server.number("SELECT COUNT(*) FROM outbox_event").await, 0);
    assert_eq!(
        server.number("SELECT COUNT(*) FROM idempotency_key").await,
        0
    );
}

testkit::on_each_database! {
    async fn right_and_wrong_answers_of_each_type_are_told_apart(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        for kind in ["MULTIPLE_CHOICE", "TRUE_FALSE", "SHORT_ANSWER"] {
            let set = member.complete_set(&[source], kind, 3).await;
            let right = right_answers(&set);
            let results = |correct: bool| {
                let ids = set["questions"].as_array().unwrap().iter();
                ids.map(|question| json!({"questionId": question["id"], "isCorrect": correct})).collect::<Vec<_>>()
            };
            let marks = member.mark(&right).await.expect(200);
            assert_eq!(marks, json!({"results": results(true), "totalQuestions": 3, "correctCount": 3}));
            let marks = member.mark(&wrong_answers(&set)).await.expect(200);
            assert_eq!(marks, json!({"results": results(false), "totalQuestions": 3, "correctCount": 0}));
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM marking_result WHERE is_correct").await, 9);
        assert_eq!(server.number("SELECT COUNT(*) FROM marking_result WHERE NOT is_correct").await, 9);
        server.stop().await;
    }

    async fn short_answers_are_compared_as_a_person_would(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "SHORT_ANSWER", 1).await;
        let question = &set["questions"][0];
        let rename = async |answer: &str| {
            server.change("UPDATE question SET answer = $1", vec![answer.into()]).await;
        };
        for (right, answer, expected) in [
            ("훈민정음", "훈민정음", true),
            ("훈민정음", " 훈민 정음. ", true),
            ("훈민정음", "「훈민정음」", true),
            ("훈민정음", "\u{1112}\u{116e}\u{11ab}\u{1106}\u{1175}\u{11ab}\u{110c}\u{1165}\u{11bc}\u{110b}\u{1173}\u{11b7}", true),
            ("훈민정음", "훈민정음해례", false),
            ("훈민정음", "", false),
            ("Page Table", "page  TABLE!", true),
            ("C++", "C", false),
            ("30%", "30", false),
        ] {
            rename(right).await;
            assert_eq!(marked(&member, question, json!(answer)).await, expected, "{answer:?} for {right:?}");
        }
    }

    async fn a_boolean_may_come_as_a_word(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 1).await;
        let id = &set["questions"][0]["id"];
        for (answer, right) in [(json!(true), true), (json!("true"), true), (json!("FALSE"), false), (json!(false), false)] {
            let body = json!([{"questionId": id, "memberAnswer": answer, "memberAnswerType": "boolean"}]);
            assert_eq!(member.mark(&body).await.expect(200)["correctCount"], i32::from(right));
        }
    }

    async fn a_set_is_solved_when_all_its_questions_are_in_one_request(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let whole = right_answers(&member.complete_set(&[source], "TRUE_FALSE", 2).await);
        let part = right_answers(&member.complete_set(&[source], "SHORT_ANSWER", 3).await);
        let mixed = json!([whole[0], part[0], whole[1], part[1]]);
        assert_eq!(member.mark(&mixed).await.expect(200)["totalQuestions"], 4);
        // The last of the other set alone does not make it whole.
        member.mark(&json!([part[2]])).await.expect(200);
        server.settled().await;
        let stats = member.stats().await;
        assert_eq!((&stats["totalSolvedQuestionCount"], &stats["totalSolvedQuestionSetCount"]), (&json!(5), &json!(1)));
    }

    async fn solving_a_set_again_counts_again(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 2).await;
        member.mark(&right_answers(&set)).await.expect(200);
        member.mark(&wrong_answers(&set)).await.expect(200);
        server.settled().await;
        assert_eq!(member.stats().await["totalSolvedQuestionCount"], 4);
        assert_eq!(server.number("SELECT COUNT(*) FROM marking_result").await, 4);
    }

    async fn markings_at_the_same_time_all_count(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let answers = right_answers(&member.complete_set(&[source], "TRUE_FALSE", 2).await);
        let all = (0..10).map(|_| member.mark(&answers));
        for marks in futures::future::join_all(all).await {
            marks.expect(200);
        }
        assert_eq!(server.number("SELECT solved_question_count FROM learn_stats_daily").await, 20);
        server.settled().await;
        assert_eq!(member.stats().await["totalSolvedQuestionCount"], 20);
    }

    async fn answers_that_cannot_be_used_are_named_with_their_place(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let one = json!({"questionId": 1, "memberAnswer": "a", "memberAnswerType": "string"});
        assert_eq!(member.mark(&json!([])).await.wrong_fields(), ["$"]);
        assert_eq!(member.mark(&json!(vec![one.clone(); 501])).await.wrong_fields(), ["$"]);
        assert_eq!(member.mark(&json!({})).await.wrong_fields(), ["$"]);
        let wrong = json!([
            one,
            {"memberAnswer": true, "memberAnswerType": "number"},
            {"questionId": 3, "memberAnswer": 5, "memberAnswerType": "string"},
            {"questionId": 4, "memberAnswer": "maybe", "memberAnswerType": "boolean"},
            {"questionId": 5, "memberAnswer": "가".repeat(1001), "memberAnswerType": "string"},
        ]);
        let fields = member.mark(&wrong).await.wrong_fields();
        assert_eq!(fields, ["[1].questionId", "[1].memberAnswerType", "[2].memberAnswer", "[3].memberAnswer", "[4].memberAnswer"]);
        let typed = json!([{"questionId": "1", "memberAnswer": "a", "memberAnswerType": "string"}]);
        assert_eq!(member.mark(&typed).await.wrong_fields(), ["[0].questionId"]);
        nothing_is_stored(&server).await;
    }

    async fn questions_of_others_or_of_deleted_sets_store_nothing(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let theirs = server.ready_source(stranger.id, "text").await;
        let own = right_answers(&member.complete_set(&[source], "TRUE_FALSE", 1).await);
        let foreign = right_answers(&stranger.complete_set(&[theirs], "TRUE_FALSE", 1).await);
        let deleted = member.complete_set(&[source], "TRUE_FALSE", 1).await;
        member.client.delete(&format!("/api/question-set/{}", deleted["id"])).await.expect(200);
        server.settled().await;
        let unknown = json!({"questionId": 999_999, "memberAnswer": true, "memberAnswerType": "boolean"});
        for answers in [
            foreign.clone(),
            json!([own[0], foreign[0]]),
            json!([own[0], unknown]),
            right_answers(&deleted),
        ] {
            member.mark(&answers).await.problem(404, "K_001");
        }
        nothing_is_stored(&server).await;
        member.mark(&own).await.expect(200);
    }

    async fn a_marking_is_stored_whole_or_not_at_all(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let answers = right_answers(&member.complete_set(&[source], "TRUE_FALSE", 2).await);
        server.settled().await;
        let request = || member.client.request(testkit::http::Method::POST, "/api/marking").header("idempotency-key", "k");
        server.change("ALTER TABLE outbox_event RENAME TO outbox_event_away", vec![]).await;
        request().json(&answers).send().await.problem(500, "C_001");
        server.change("ALTER TABLE outbox_event_away RENAME TO outbox_event", vec![]).await;
        nothing_is_stored(&server).await;
        request().json(&answers).send().await.expect(200);
        server.settled().await;
        assert_eq!(member.stats().await["totalSolvedQuestionCount"], 2);
    }
}
