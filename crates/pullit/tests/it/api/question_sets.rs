//! `/api/question-set…`

use chrono::TimeDelta;
use serde_json::{Value, json};
use testkit::http::Method;
use testkit::wait;

use crate::support::files::ENGLISH;
use crate::support::{BOUND, Problem, Server, Setup, StubGenerator, right_answers};

/// A node whose questions are made at once.
async fn quick(db: testkit::Database) -> Server {
    Setup::new().generator(StubGenerator::new()).start(db).await
}

fn good(source: i64) -> Value {
    json!({"difficulty": "EASY", "questionCount": 1, "type": "TRUE_FALSE", "sourceIds": [source]})
}

fn with(body: &Value, field: &str, value: Value) -> Value {
    let mut changed = body.clone();
    changed[field] = value;
    changed
}

fn ids(list: &Value) -> Vec<i64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_i64().unwrap())
        .collect()
}

testkit::on_each_database! {
    async fn a_set_that_is_asked_for_is_pending_until_its_questions_are_made(db: testkit::Database) {
        let generator = StubGenerator::new();
        generator.hold();
        let server = Setup::new().generator(generator.clone()).start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let answer = member.client.post("/api/question-set", &good(source)).await;
        let location = answer.header("location").to_owned();
        let body = answer.expect(201);
        let id = body["id"].as_i64().unwrap();
        assert_eq!(body, json!({"id": id, "status": "PENDING"}));
        assert_eq!(location, format!("/api/question-set/{id}"));
        generator.called(1).await;
        member.client.get(&location).await.problem(409, "Q_002");
        let listed = member.client.get("/api/question-set/all").await.expect(200);
        assert_eq!(listed[0]["status"], "PENDING");
        generator.release();
        assert_eq!(member.made_set(id).await.expect(200)["status"], "COMPLETE");
        assert_eq!(generator.calls(), 1);
        server.stop().await;
    }

    async fn a_set_is_called_as_asked_or_after_its_first_source(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        for (title, expected) in [(json!(null), "자료"), (json!("  "), "자료"), (json!(" 1학기 기말 "), "1학기 기말")] {
            let body = with(&good(source), "title", title);
            let asked = member.client.post("/api/question-set", &body).await.expect(201);
            let set = member.made_set(asked["id"].as_i64().unwrap()).await.expect(200);
            assert_eq!(set["title"], expected);
        }
    }

    async fn one_answer_names_every_field_that_is_wrong(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let ask = async |body: Value| member.client.post("/api/question-set", &body).await;
        let all = ["difficulty", "type", "questionCount", "sourceIds"];
        assert_eq!(ask(json!({})).await.wrong_fields(), all);
        let wrong = json!({"difficulty": "easy", "questionCount": 0, "type": "ESSAY", "sourceIds": [], "title": "가".repeat(201)});
        assert_eq!(ask(wrong).await.wrong_fields(), [&all[..], &["title"]].concat());
        for count in [0, 101, -1, i64::MAX] {
            assert_eq!(ask(with(&good(source), "questionCount", json!(count))).await.wrong_fields(), ["questionCount"]);
        }
        for kind in ["true_false", "", "MULTIPLE CHOICE"] {
            assert_eq!(ask(with(&good(source), "type", json!(kind))).await.wrong_fields(), ["type"]);
        }
        for (field, value, path) in [
            ("questionCount", json!("5"), "questionCount"),
            ("questionCount", json!(1.5), "questionCount"),
            ("difficulty", json!(1), "difficulty"),
            ("sourceIds", json!([source, "x"]), "sourceIds[1]"),
            ("sourceIds", json!(source), "sourceIds"),
            ("title", json!({}), "title"),
        ] {
            assert_eq!(ask(with(&good(source), field, value)).await.wrong_fields(), [path]);
        }
        for body in [json!("text"), json!(5)] {
            assert_eq!(ask(body).await.wrong_fields(), ["$"]);
        }
        let many = (1..=21).collect::<Vec<i64>>();
        assert_eq!(ask(with(&good(source), "sourceIds", json!(many))).await.wrong_fields(), ["sourceIds"]);
        assert_eq!(server.number("SELECT COUNT(*) FROM question_set").await, 0);
        for count in [1, 100] {
            ask(with(&good(source), "questionCount", json!(count))).await.expect(201);
        }
    }

    async fn a_body_that_is_not_json_is_refused(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let send = async |kind, body: &str| member.client.request(Method::POST, "/api/question-set").bytes(kind, body).send().await;
        for body in ["", "{", "{\"difficulty\":", "nothing", "{} {}", "{\"a\": \"\u{1}\"}"] {
            send("application/json", body).await.problem(400, "C_002");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(send("application/json", &deep).await.status.as_u16(), 400);
        send("text/plain", "{}").await.problem(415, "C_010");
        let large = format!("{{\"title\": \"{}\"}}", "a".repeat(8 * 1024 * 1024));
        send("application/json", &large).await.problem(413, "C_006");
    }

    async fn fields_of_newer_clients_are_ignored(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let body = with(&good(source), "language", json!({"code": "ko"}));
        member.client.post("/api/question-set", &body).await.expect(201);
    }

    async fn a_source_that_is_anothers_or_none_stores_nothing(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let own = server.ready_source(member.id, "text").await;
        let theirs = server.ready_source(stranger.id, "text").await;
        for sources in [json!([theirs]), json!([own, theirs]), json!([own, 999_999]), json!([-1])] {
            let body = with(&good(own), "sourceIds", sources);
            member.client.post("/api/question-set", &body).await.problem(404, "S_001");
        }
        let failed = server.ready_source(member.id, "text").await;
        let fail = "UPDATE source SET status = 'FAILED', failure_code = 'DOCUMENT_BROKEN', failure_reason = '손상' WHERE id = $1";
        server.change(fail, vec![failed.into()]).await;
        let problem = member.client.post("/api/question-set", &good(failed)).await.problem(409, "S_010");
        assert_eq!(problem["detail"], "손상");
        assert_eq!(server.number("SELECT COUNT(*) FROM question_set").await, 0);
        assert_eq!(server.number("SELECT COUNT(*) FROM outbox_event").await, 0);
    }

    async fn a_complete_set_shows_its_questions_as_the_contract_has_them(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, ENGLISH).await;
        for kind in ["MULTIPLE_CHOICE", "TRUE_FALSE", "SHORT_ANSWER"] {
            let set = member.complete_set(&[source], kind, 4).await;
            for (field, value) in [
                ("sourceIds", json!([source])),
                ("ownerID", json!(member.id)),
                ("title", json!("자료")),
                ("difficulty", json!("EASY")),
                ("type", json!(kind)),
                ("questionLength", json!(4)),
                ("status", json!("COMPLETE")),
            ] {
                assert_eq!(set[field], value, "{field}");
            }
            for time in ["createTime", "updateTime"] {
                let parsed = chrono::DateTime::parse_from_rfc3339(set[time].as_str().unwrap());
                assert!(parsed.is_ok(), "{set}");
            }
            let questions = set["questions"].as_array().unwrap();
            assert_eq!(questions.len(), 4);
            for question in questions {
                assert!(question["id"].is_i64());
                assert_eq!(question["questionType"], kind);
                assert!(!question["questionText"].as_str().unwrap().is_empty());
                assert!(!question["explanation"].as_str().unwrap().is_empty());
                match kind {
                    "MULTIPLE_CHOICE" => {
                        let options = question["options"].as_array().unwrap();
                        assert_eq!(options.len(), 4);
                        assert!(options.iter().all(Value::is_string));
                        assert!(options.contains(&question["answer"]), "{question}");
                    }
                    "TRUE_FALSE" => {
                        assert!(question.get("options").is_none());
                        assert!(question["answer"].is_boolean());
                    }
                    _ => {
                        assert!(question.get("options").is_none());
                        assert!(question["answer"].is_string());
                    }
                }
            }
        }
    }

    async fn a_set_that_a_text_cannot_bear_fails_for_good_with_the_reason(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "The nucleus was named by Robert Brown in 1831.").await;
        let id = member.ask(&[source], "MULTIPLE_CHOICE", 100).await;
        let problem = member.made_set(id).await.problem(409, "Q_003");
        let reason = problem["detail"].as_str().unwrap().to_owned();
        assert!(!reason.is_empty());
        let stored = server.text("SELECT failure_reason FROM question_set WHERE id = $1", vec![id.into()]).await;
        assert_eq!(stored, "NOT_ENOUGH_MATERIAL");
        assert_eq!(server.number("SELECT COUNT(*) FROM question_set WHERE retryable").await, 0);
        assert_eq!(server.number("SELECT COUNT(*) FROM question").await, 0);
        let listed = member.client.get("/api/question-set/all").await.expect(200);
        assert_eq!((&listed[0]["status"], &listed[0]["failureReason"]), (&json!("FAILED"), &json!(reason)));
        assert_eq!(server.ran("retryFailedQuestionSetGeneration").await, 0);
    }

    async fn a_set_asked_for_before_its_source_is_read_waits_for_it(db: testkit::Database) {
        let generator = StubGenerator::new();
        let server = Setup::new().generator(generator.clone()).start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let until = server.clock.time() + TimeDelta::hours(1);
        let unread = "UPDATE source SET status = 'PROCESSING', extraction_owner = 'somebody', extraction_until = $2 WHERE id = $1";
        server.change(unread, vec![source.into(), until.into()]).await;
        let id = member.ask(&[source], "TRUE_FALSE", 1).await;
        // The worker has looked at it and put it off.
        server.until_number("SELECT COUNT(*) FROM work_item WHERE available_at > created_at", 1).await;
        member.set(id).await.problem(409, "Q_002");
        assert_eq!(generator.calls(), 0);
        server.change("UPDATE source SET status = 'READY' WHERE id = $1", vec![source.into()]).await;
        member.made_set(id).await.expect(200);
        assert_eq!(generator.calls(), 1);
    }

    async fn a_set_whose_source_turns_out_unreadable_fails_for_good(db: testkit::Database) {
        let generator = StubGenerator::new();
        let server = Setup::new().generator(generator.clone()).start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = member.upload("a.pdf", "application/pdf", b"this is no PDF").await;
        // Whether it was asked for before or after the reading failed, it is never made.
        let ask = member.client.post("/api/question-set", &good(source)).await;
        if ask.status.as_u16() == 201 {
            let id = ask.expect(201)["id"].as_i64().unwrap();
            member.made_set(id).await.problem(409, "Q_003");
            assert_eq!(server.number("SELECT COUNT(*) FROM question_set WHERE retryable").await, 0);
        } else {
            ask.problem(409, "S_010");
        }
        assert_eq!(generator.calls(), 0);
    }

    async fn pages_follow_one_another_without_a_gap_or_a_repeat(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let theirs = server.ready_source(stranger.id, "text").await;
        let mut newest_first = Vec::new();
        for _ in 0..25 {
            newest_first.insert(0, member.ask(&[source], "TRUE_FALSE", 1).await);
        }
        stranger.ask(&[theirs], "TRUE_FALSE", 1).await;
        server.settled().await;
        let page = async |query: &str| member.client.get(&format!("/api/question-set{query}")).await.expect(200);

        let first = page("").await;
        assert_eq!(first.as_object().unwrap().len(), 2);
        assert_eq!(first["learningProgress"], 0);
        let sets = &first["questionSets"];
        assert_eq!(ids(&sets["content"]), newest_first[..20]);
        assert_eq!((&sets["size"], &sets["hasNext"], &sets["nextCursor"]), (&json!(20), &json!(true), &json!(newest_first[19])));
        let item = &sets["content"][0];
        for (field, value) in [
            ("id", json!(newest_first[0])),
            ("title", json!("자료")),
            ("status", json!("COMPLETE")),
            ("questionLength", json!(1)),
            ("type", json!("TRUE_FALSE")),
            ("difficulty", json!("EASY")),
        ] {
            assert_eq!(item[field], value, "{field}");
        }
        assert!(item["createTime"].is_string());

        let last = page(&format!("?cursor={}", newest_first[19])).await;
        let last = &last["questionSets"];
        assert_eq!(ids(&last["content"]), newest_first[20..]);
        assert_eq!((&last["hasNext"], &last["nextCursor"]), (&json!(false), &json!(null)));

        let (mut seen, mut query) = (Vec::new(), "?size=7".to_owned());
        loop {
            let page = page(&query).await;
            seen.extend(ids(&page["questionSets"]["content"]));
            let Some(cursor) = page["questionSets"]["nextCursor"].as_i64() else { break };
            query = format!("?size=7&cursor={cursor}");
        }
        assert_eq!(seen, newest_first);
        let exact = page("?size=25").await;
        assert_eq!(exact["questionSets"]["hasNext"], false);
        let all = member.client.get("/api/question-set/all").await.expect(200);
        assert_eq!(ids(&all), newest_first);
        for (query, field) in [("?size=0", "size"), ("?size=-1", "size"), ("?size=x", "size"), ("?cursor=x", "cursor")] {
            let answer = member.client.get(&format!("/api/question-set{query}")).await;
            assert_eq!(answer.wrong_fields(), [field], "{query}");
        }
    }

    async fn progress_is_solved_of_living_complete_sets_in_whole_percent(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 2).await;
        for _ in 0..2 {
            member.complete_set(&[source], "TRUE_FALSE", 1).await;
        }
        member.mark(&right_answers(&set)).await.expect(200);
        wait::until("the progress follows", BOUND, async || {
            member.client.get("/api/question-set").await.expect(200)["learningProgress"] == 33
        })
        .await;
    }

    async fn a_set_is_renamed_and_deleted_by_its_owner_alone(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let id = member.complete_set(&[source], "TRUE_FALSE", 1).await["id"].as_i64().unwrap();
        let path = format!("/api/question-set/{id}");
        stranger.client.get(&path).await.problem(404, "Q_001");
        stranger.client.patch(&path, &json!({"title": "내 것"})).await.problem(404, "Q_001");
        stranger.client.delete(&path).await.problem(404, "Q_001");
        assert_eq!(stranger.client.get("/api/question-set/all").await.expect(200), json!([]));

        member.client.patch(&path, &json!({"title": "새 이름", "status": "FAILED"})).await.expect(200);
        let set = member.set(id).await.expect(200);
        assert_eq!((&set["title"], &set["status"]), (&json!("새 이름"), &json!("COMPLETE")));
        for title in [json!(null), json!(" "), json!("가".repeat(201)), json!("a\u{0}"), json!(5)] {
            let answer = member.client.patch(&path, &json!({"title": title})).await;
            assert_eq!(answer.wrong_fields(), ["title"]);
        }

        member.client.delete(&path).await.expect(200);
        member.set(id).await.problem(404, "Q_001");
        member.client.delete(&path).await.problem(404, "Q_001");
        member.client.patch(&path, &json!({"title": "x"})).await.problem(404, "Q_001");
        assert_eq!(member.client.get("/api/question-set/all").await.expect(200), json!([]));
        assert_eq!(server.number("SELECT COUNT(*) FROM question_set WHERE deleted_at IS NOT NULL").await, 1);
        for id in ["0", "999999", "x", "99999999999999999999"] {
            let answer = member.client.get(&format!("/api/question-set/{id}")).await;
            assert_eq!(answer.status.as_u16(), 404);
        }
    }
}
