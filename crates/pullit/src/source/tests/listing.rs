//! A member's list of sources, and what other rooms see.

use super::*;

testkit::on_each_database! {
    async fn the_list_tells_each_source_newest_first(db: testkit::Database) {
        let world = World::on(db).await;
        let older = world.source(ALICE, "하나").await;
        world.drain(Plainly).await;
        world.pass(TimeDelta::hours(1));
        let newer = world.source(ALICE, "둘").await;
        world.source(BOB, "셋").await;
        world.question_set("COMPLETE", &[older, newer]).await;
        world.question_set("PENDING", &[older]).await;
        let deleted = world.question_set("COMPLETE", &[older]).await;
        let sql = "UPDATE question_set SET deleted_at = created_at WHERE id = $1";
        world.db.write().run(sql, vec![deleted.into()]).await.unwrap();

        let list = world.get(ALICE).await;
        let generated = list[1]["recentQuestionGeneratedAt"].clone();
        generated.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        assert_eq!(
            list[1],
            json!({
                "id": older, "originalName": "a.txt", "sourceFolderName": null, "status": "READY", "questionSetCount": 2,
                "pageCount": 3, "fileSizeBytes": 6, "createdAt": "2026-11-22", "recentQuestionGeneratedAt": generated,
            })
        );
        assert_eq!(list[0]["id"], newer);
        assert_eq!((list[0]["status"].as_str(), list[0]["createdAt"].as_str()), (Some("UPLOADED"), Some("2026-11-23")));
        assert_eq!((list[0]["questionSetCount"].as_i64(), &list[0]["pageCount"]), (Some(1), &Value::Null));
        assert_eq!(list.len(), 2);
    }

    async fn the_list_ends_after_the_newest_thousand(db: testkit::Database) {
        let world = World::on(db).await;
        let oldest = world.source(ALICE, "하나").await;
        world.pass(TimeDelta::hours(1));
        let newest = world.source(ALICE, "둘").await;
        let columns = "member_id, original_name, file_path, content_type, file_size_bytes, status, created_at, updated_at";
        let copies = format!(
            "INSERT INTO source ({columns}) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
             SELECT {} FROM source s, n WHERE s.id = $1",
            columns.replace("file_path", "file_path || '-' || i")
        );
        let copy = sqlx::AssertSqlSafe(copies);
        world.db.write().run(copy, vec![newest.into()]).await.unwrap();
        let list = world.get(ALICE).await;
        assert_eq!(list.len(), 1000);
        assert!(list.iter().all(|source| source["id"] != oldest));
    }

    async fn a_deleted_source_is_listed_no_more_and_cannot_be_deleted_again(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "하나").await;
        assert_eq!(world.delete(BOB, id).await, 404);
        assert_eq!(world.get(ALICE).await.len(), 1);
        assert_eq!(world.delete(ALICE, id).await, 204);
        assert!(world.get(ALICE).await.is_empty());
        assert_eq!(world.delete(ALICE, id).await, 404);
        assert_eq!(world.column(id, "status").await.as_deref(), Some("DELETED"));
        assert_eq!(world.count("SELECT COUNT(*) FROM source WHERE deleted_at IS NULL").await, 0);
    }

    async fn other_rooms_learn_which_sources_a_member_may_use_and_their_texts(db: testkit::Database) {
        let world = World::on(db).await;
        let one = world.source(ALICE, "하나").await;
        let two = world.source(ALICE, "둘").await;
        let gone = world.source(ALICE, "셋").await;
        let foreign = world.source(BOB, "넷").await;
        world.drain(Plainly).await;
        let waiting = world.source(ALICE, "다섯").await;
        world.delete(ALICE, gone).await;
        let ids = [waiting, two, one, gone, foreign, 0];
        let mut tx = world.db.begin().await.unwrap();
        let usable = world.sources.usable(&mut tx, ALICE, &ids).await.unwrap();
        tx.commit().await.unwrap();
        let told = usable.iter().map(|state| (state.id, state.status.name())).collect::<Vec<_>>();
        assert_eq!(told, [(one, "READY"), (two, "READY"), (waiting, "UPLOADED")]);
        let texts = world.sources.texts(&[waiting, two, one]).await.unwrap();
        let texts = texts.iter().map(|text| (text.id, text.content.as_str())).collect::<Vec<_>>();
        assert_eq!(texts, [(two, "둘"), (one, "하나")]);
    }
}

#[tokio::test]
async fn a_source_that_is_being_linked_cannot_be_deleted_meanwhile() {
    let world = World::on(testkit::Database::postgres().await).await;
    let id = world.source(ALICE, "하나").await;
    let mut tx = world.db.begin().await.unwrap();
    assert_eq!(
        world
            .sources
            .usable(&mut tx, ALICE, &[id])
            .await
            .unwrap()
            .len(),
        1
    );
    let deletion = world.delete(ALICE, id);
    tokio::pin!(deletion);
    let blocked = testkit::wait::until(
        "the deletion waits for a lock",
        std::time::Duration::from_secs(10),
        async || {
            world
                .count("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")
                .await
                > 0
        },
    );
    tokio::select! {
        status = &mut deletion => panic!("deleted at once: {status}"),
        () = blocked => {}
    }
    tx.commit().await.unwrap();
    assert_eq!(deletion.await, 204);
}
