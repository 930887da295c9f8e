//! `/api/learning/source…`, and the upload URLs.

use chrono::TimeDelta;
use futures::stream;
use pullit::server::Roles;
use serde_json::{Value, json};
use testkit::http::Client;

use crate::support::files::{PDF, TEXT};
use crate::support::{Problem, Server, Setup, TestClock, at};

const LIMIT: usize = 50 * 1024 * 1024;

/// A node that takes uploads and reads nothing.
fn taking() -> Setup {
    Setup::new().roles(Roles {
        worker: false,
        scheduler: false,
        ..Roles::ALL
    })
}

fn with(ticket: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut changed = ticket.clone();
    changed[field] = value.into();
    changed
}

async fn sources(server: &Server) -> i64 {
    server.number("SELECT COUNT(*) FROM source").await
}

testkit::on_each_database! {
    async fn a_file_is_announced_put_and_completed(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let ticket = member.ticket("노트.txt", TEXT, 5).await;
        assert_eq!(ticket.as_object().unwrap().len(), 6, "{ticket}");
        assert_eq!(ticket["originalName"], "노트.txt");
        assert_eq!(ticket["contentType"], TEXT);
        assert_eq!(ticket["fileSizeBytes"], 5);
        assert!(ticket["filePath"].is_string() && ticket["uploadId"].is_string());
        assert!(ticket["uploadUrl"].as_str().unwrap().starts_with(&server.url), "{ticket}");

        // The URL is its own ticket: storage knows no access tokens.
        let anonymous = Client::new(&server.url);
        anonymous.put(ticket["uploadUrl"].as_str().unwrap(), TEXT, "hello").await.expect(200);
        let done = member.complete(&ticket).await.expect(200);
        let id = done["id"].as_i64().unwrap();
        assert_eq!(done, json!({"id": id}));
        assert_eq!(member.complete(&ticket).await.expect(200)["id"], id, "said again, it answers the same");
        assert_eq!(sources(&server).await, 1);
        server.stop().await;
    }

    async fn the_list_has_the_fields_of_the_contract(db: testkit::Database) {
        let clock = TestClock::still(at("2026-11-22T15:00:01Z"));
        let server = taking().clock(clock).start(db).await;
        let member = server.member("a@pullit.test").await;
        assert_eq!(member.client.get("/api/learning/source").await.expect(200), json!([]));
        let first = member.upload("a.txt", TEXT, b"hello").await;
        let second = member.upload("b.pdf", PDF, b"%PDF-").await;
        let list = member.client.get("/api/learning/source").await.expect(200);
        let item = |id, name, size| json!({
            "id": id, "originalName": name, "sourceFolderName": null, "status": "UPLOADED", "questionSetCount": 0, "pageCount": null,
            "fileSizeBytes": size, "createdAt": "2026-11-23", "recentQuestionGeneratedAt": null,
        });
        assert_eq!(list, json!([item(second, "b.pdf", 5), item(first, "a.txt", 5)]));
        let stranger = server.member("b@pullit.test").await;
        assert_eq!(stranger.client.get("/api/learning/source").await.expect(200), json!([]));
    }

    async fn a_source_tells_of_the_living_sets_made_from_it(db: testkit::Database) {
        let server = Setup::new().generator(crate::support::StubGenerator::new()).start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 1).await;
        let deleted = member.complete_set(&[source], "TRUE_FALSE", 1).await["id"].as_i64().unwrap();
        member.client.delete(&format!("/api/question-set/{deleted}")).await.expect(200);
        let listed = member.source(source).await;
        assert_eq!(listed["questionSetCount"], 1);
        let recent = at(listed["recentQuestionGeneratedAt"].as_str().unwrap());
        assert_eq!(recent, at(set["createTime"].as_str().unwrap()));
    }

    async fn what_cannot_be_uploaded_is_refused_with_its_field(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let ask = async |body: Value| member.client.post("/api/learning/source/upload", &body).await;
        let good = json!({"fileName": "a.pdf", "contentType": PDF, "fileSize": LIMIT});
        ask(good.clone()).await.expect(200);
        let large = ask(with(&good, "fileSize", LIMIT + 1)).await.problem(400, "S_003");
        assert_eq!(large["errors"][0]["field"], "fileSize");
        for kind in ["image/png", "application/octet-stream", "", "text/html"] {
            let problem = ask(with(&good, "contentType", kind)).await.problem(400, "S_002");
            assert_eq!(problem["errors"][0]["field"], "contentType");
        }
        assert_eq!(ask(json!({})).await.wrong_fields(), ["fileName", "contentType", "fileSize"]);
        for size in [0, -1] {
            assert_eq!(ask(with(&good, "fileSize", size)).await.wrong_fields(), ["fileSize"]);
        }
        for size in [json!("5"), json!(1.5), json!(null), json!(1e30)] {
            assert_eq!(ask(with(&good, "fileSize", size)).await.wrong_fields(), ["fileSize"]);
        }
        let long = "가".repeat(256);
        for name in ["../../etc/passwd", "a/b.pdf", "a\\b.pdf", " ", "a\u{0}.pdf", &long] {
            assert_eq!(ask(with(&good, "fileName", name)).await.wrong_fields(), ["fileName"]);
        }
    }

    async fn no_lie_about_an_upload_makes_a_source(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let theirs = stranger.ticket("theirs.txt", TEXT, 5).await;
        stranger.put(&theirs, b"hello").await.expect(200);
        let other = member.ticket("other.txt", TEXT, 5).await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        member.complete(&ticket).await.problem(409, "S_005");
        member.put(&ticket, b"hello").await.expect(200);

        for (field, value) in [
            ("fileSizeBytes", json!(6)),
            ("fileSizeBytes", json!(-5)),
            ("contentType", json!(PDF)),
            ("originalName", json!("b.txt")),
        ] {
            let problem = member.complete(&with(&ticket, field, value)).await.problem(409, "S_006");
            assert_eq!(problem["errors"][0]["field"], field);
        }
        for (field, value) in [
            ("filePath", json!("../../../../etc/passwd")),
            ("filePath", json!(format!("{}/../x", ticket["filePath"].as_str().unwrap()))),
            ("filePath", json!("/etc/passwd")),
            ("filePath", json!("")),
            ("filePath", json!("a\u{0}b")),
            ("filePath", other["filePath"].clone()),
            ("filePath", theirs["filePath"].clone()),
            ("uploadId", theirs["uploadId"].clone()),
            ("uploadId", other["uploadId"].clone()),
            ("uploadId", json!("00000000-0000-7000-8000-000000000000")),
            ("uploadId", json!("' OR 1=1 --")),
            ("uploadId", json!("a\u{0}b")),
        ] {
            let lie = with(&ticket, field, value);
            let answer = member.complete(&lie).await;
            assert_eq!(answer.status.as_u16(), 404, "{lie}: {}", answer.text);
            answer.problem(404, "S_004");
        }
        member.complete(&theirs).await.problem(404, "S_004");
        let nothing = member.complete(&json!({})).await.wrong_fields();
        assert_eq!(nothing, ["uploadId", "filePath", "originalName", "contentType", "fileSizeBytes"]);

        assert_eq!(sources(&server).await, 0);
        let unread = "SELECT COUNT(*) FROM upload WHERE completed_at IS NOT NULL OR source_id IS NOT NULL";
        assert_eq!(server.number(unread).await, 0);
        member.complete(&ticket).await.expect(200);
        stranger.complete(&theirs).await.expect(200);
        assert_eq!(sources(&server).await, 2);
    }

    async fn two_completions_at_once_make_one_source(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        member.put(&ticket, b"hello").await.expect(200);
        let (one, other) = tokio::join!(member.complete(&ticket), member.complete(&ticket));
        assert_eq!(one.expect(200), other.expect(200));
        assert_eq!(sources(&server).await, 1);
    }

    async fn an_upload_url_lives_fifteen_minutes(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        server.clock.advance(TimeDelta::minutes(14));
        member.put(&ticket, b"hello").await.expect(200);
        server.clock.advance(TimeDelta::minutes(2));
        member.put(&ticket, b"HELLO").await.problem(403, "S_008");
    }

    async fn an_upload_url_that_was_changed_opens_nothing(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        let other = member.ticket("b.txt", TEXT, 5).await;
        let url = ticket["uploadUrl"].as_str().unwrap();
        let id = |ticket: &Value| ticket["uploadId"].as_str().unwrap().to_owned();
        for changed in [
            url.replace(&id(&ticket), &id(&other)),
            url.replace("expires=", "expires=1"),
            url.replace("signature=", "signature=0"),
            url[..url.len() - 1].to_owned(),
            url.split('?').next().unwrap().to_owned(),
        ] {
            member.client.put(&changed, TEXT, "hello").await.problem(403, "S_009");
        }
        member.complete(&ticket).await.problem(409, "S_005");
    }

    async fn bytes_of_another_size_or_type_than_announced_are_not_kept(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        let url = ticket["uploadUrl"].as_str().unwrap();
        for bytes in ["", "hell", "hello!"] {
            member.client.put(url, TEXT, bytes).await.problem(409, "S_006");
        }
        member.client.put(url, PDF, "hello").await.problem(409, "S_006");
        // Without a length nobody knows the size until the end.
        for chunks in [vec!["hel", "lo!"], vec!["hel"]] {
            let chunks = stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
            let request = testkit::http::direct().put(url).header("content-type", TEXT);
            let answer = request.body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 409);
        }
        member.complete(&ticket).await.problem(409, "S_005");
        assert_eq!(sources(&server).await, 0);
    }

    async fn a_completed_upload_takes_no_more_bytes(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        member.put(&ticket, b"first").await.expect(200);
        member.put(&ticket, b"secnd").await.expect(200);
        member.complete(&ticket).await.expect(200);
        member.put(&ticket, b"third").await.problem(409, "S_007");
    }

    async fn a_deleted_source_is_listed_and_used_no_more(db: testkit::Database) {
        let server = taking().start(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let id = member.upload("a.txt", TEXT, b"hello").await;
        let path = format!("/api/learning/source/{id}");
        stranger.client.delete(&path).await.problem(404, "S_001");
        assert_eq!(member.source(id).await["status"], "UPLOADED");
        let gone = member.client.delete(&path).await;
        assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
        assert_eq!(member.source(id).await, Value::Null);
        member.client.delete(&path).await.problem(404, "S_001");
        member.client.delete("/api/learning/source/0").await.problem(404, "S_001");
        member.client.delete("/api/learning/source/x").await.problem(404, "C_004");
        assert_eq!(server.text("SELECT status FROM source WHERE id = $1", vec![id.into()]).await, "DELETED");
        let ask = json!({"difficulty": "EASY", "questionCount": 1, "type": "TRUE_FALSE", "sourceIds": [id]});
        member.client.post("/api/question-set", &ask).await.problem(404, "S_001");
    }
}
