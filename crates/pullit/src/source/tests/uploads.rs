//! Uploads, from the announcement to the source.

use std::collections::BTreeSet;

use super::*;

testkit::on_each_database! {
    async fn an_upload_answers_where_to_put_the_file_and_under_which_names(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, " 한국사 요약.pdf ", "application/pdf", 11).await;
        let fields = asked.answer.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>();
        let expected = ["contentType", "filePath", "fileSizeBytes", "originalName", "uploadId", "uploadUrl"];
        assert_eq!(fields, BTreeSet::from(expected));
        assert_eq!(asked.text("originalName"), "한국사 요약.pdf");
        assert_eq!(asked.text("contentType"), "application/pdf");
        assert_eq!(asked.answer["fileSizeBytes"], 11);
        let path = asked.text("filePath");
        assert!(path.starts_with("learning-sources/2026/11/22/member-7/") && path.ends_with(".pdf"), "{path}");
        assert!(path.is_ascii());

        // Half an hour later it is another day in Seoul.
        world.pass(TimeDelta::minutes(30));
        let asked = world.ask(ALICE, "b.md", "text/markdown; charset=utf-8", 11).await;
        assert!(asked.text("filePath").starts_with("learning-sources/2026/11/23/member-7/"));
        assert_eq!(asked.text("contentType"), "text/markdown; charset=utf-8");
    }

    async fn an_unusable_request_is_answered_with_its_code_and_its_fields(db: testkit::Database) {
        let world = World::on(db).await;
        let long = "가".repeat(256);
        let cases = [
            (json!({}), "C_003", vec!["fileName", "contentType", "fileSize"]),
            (json!([]), "C_003", vec!["$"]),
            (json!({"fileName": "a.pdf", "contentType": "application/pdf", "fileSize": "11"}), "C_003", vec!["fileSize"]),
            (json!({"fileName": "a.pdf", "contentType": "application/pdf", "fileSize": 0}), "C_003", vec!["fileSize"]),
            (json!({"fileName": "a.pdf", "contentType": "application/pdf", "fileSize": -1}), "C_003", vec!["fileSize"]),
            (json!({"fileName": " ", "contentType": "application/pdf", "fileSize": 1}), "C_003", vec!["fileName"]),
            (json!({"fileName": long, "contentType": "application/pdf", "fileSize": 1}), "C_003", vec!["fileName"]),
            (json!({"fileName": "a\u{0}.pdf", "contentType": "application/pdf", "fileSize": 1}), "C_003", vec!["fileName"]),
            (json!({"fileName": "../a.pdf", "contentType": "application/pdf", "fileSize": 1}), "C_003", vec!["fileName"]),
            (json!({"fileName": "..\\a.pdf", "contentType": "application/pdf", "fileSize": 1}), "C_003", vec!["fileName"]),
            (json!({"fileName": "a.png", "contentType": "image/png", "fileSize": 1}), "S_002", vec!["contentType"]),
            (json!({"fileName": "a.txt", "contentType": "text/plain;\r\nx: y", "fileSize": 1}), "S_002", vec!["contentType"]),
            (json!({"fileName": "a.pdf", "contentType": "application/pdf", "fileSize": 52_428_801}), "S_003", vec!["fileSize"]),
        ];
        for (body, code, fields) in cases {
            let (status, problem) = world.post(ALICE, "upload", body.clone()).await;
            assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some(code)), "{body}");
            let named = problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap());
            assert_eq!(named.collect::<Vec<_>>(), fields, "{body}");
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM upload").await, 0);
        world.ask(ALICE, &"가".repeat(255), "application/pdf", 52_428_800).await;
    }

    async fn a_completed_upload_is_a_source_once_however_often_it_is_said(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        world.put(&asked, "hello").await;
        let said = futures::future::join_all((0..8).map(|_| world.complete(&asked))).await;
        let (_, first) = &said[0];
        assert!(first["id"].is_i64());
        for (status, body) in &said {
            assert_eq!((status.as_u16(), body), (200, first));
        }
        assert_eq!(world.complete(&asked).await, (StatusCode::OK, first.clone()));
        assert_eq!(world.sources_stored().await, 1);
    }

    async fn nothing_is_completed_by_a_lie(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        let other = world.ask(BOB, "a.txt", "text/plain", 5).await;
        for asked in [&asked, &other] {
            world.put(asked, "hello").await;
        }
        let lies = [
            ("uploadId", other.answer["uploadId"].clone(), "S_004"),
            ("uploadId", json!("not a uuid\u{0}"), "S_004"),
            ("uploadId", json!(uuid::Uuid::new_v4()), "S_004"),
            ("filePath", other.answer["filePath"].clone(), "S_004"),
            ("filePath", json!("../../../etc/passwd"), "S_004"),
            ("filePath", json!(format!("{}/../x", asked.text("filePath"))), "S_004"),
            ("originalName", json!("b.txt"), "S_006"),
            ("contentType", json!("application/pdf"), "S_006"),
            ("fileSizeBytes", json!(6), "S_006"),
        ];
        for (field, lie, code) in lies {
            let mut body = asked.completion();
            body[field] = lie;
            let (status, problem) = world.post(ALICE, "upload-complete", body.clone()).await;
            assert!(status.is_client_error(), "{body}");
            assert_eq!(problem["code"], code, "{body}");
        }
        let mut foreign = asked.clone();
        foreign.member = BOB;
        assert_eq!(world.complete(&foreign).await.1["code"], "S_004");
        let (status, problem) = world.post(ALICE, "upload-complete", json!({})).await;
        assert_eq!((status.as_u16(), problem["errors"].as_array().unwrap().len()), (400, 5));
        assert_eq!(world.sources_stored().await, 0);
        assert_eq!(world.complete(&asked).await.0, 200);
    }

    async fn an_upload_without_its_bytes_is_not_completed(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        let (status, problem) = world.complete(&asked).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (409, Some("S_005")));
        assert_eq!(world.sources_stored().await, 0);
    }

    async fn an_object_of_another_size_than_announced_is_not_completed(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        world.put(&asked, "hello").await;
        std::fs::write(world.object(asked.text("filePath")), "hello, world").unwrap();
        let (status, problem) = world.complete(&asked).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (409, Some("S_006")));
        assert_eq!(world.sources_stored().await, 0);
    }

    async fn a_completion_of_what_was_deleted_since_says_so(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        world.put(&asked, "hello").await;
        let (_, body) = world.complete(&asked).await;
        world.delete(ALICE, body["id"].as_i64().unwrap()).await;
        let (status, problem) = world.complete(&asked).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (409, Some("S_007")));
    }
}
