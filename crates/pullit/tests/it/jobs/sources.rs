//! runSourceCleanup.

use std::path::PathBuf;

use super::bench::{Bench, SOURCES, at};
use super::rows::Set;

impl Bench {
    /// Where the object of this path is.
    pub(crate) fn object(&self, path: &str) -> PathBuf {
        self.app.config.data_dir.join("objects").join(path)
    }

    /// A source in this status, with its object; where that is.
    async fn stored(&self, id: i64, status: &str) -> PathBuf {
        let path = format!("learning-sources/2026/11/01/member-1/source-{id}.txt");
        let deleted_at = if status == "DELETED" {
            "'2026-11-21T00:00:00.000000+00:00'"
        } else {
            "NULL"
        };
        self.sql(&format!(
            "INSERT INTO source (id, member_id, original_name, content_type, file_path, file_size_bytes, status, deleted_at) \
             VALUES ({id}, 1, 'notes.txt', 'text/plain', '{path}', 5, '{status}', {deleted_at})"
        ))
        .await;
        let object = self.object(&path);
        std::fs::create_dir_all(object.parent().unwrap()).unwrap();
        std::fs::write(&object, "notes").unwrap();
        object
    }

    async fn sources_left(&self) -> Vec<i64> {
        self.numbers("SELECT id FROM source ORDER BY id").await
    }
}

testkit::on_each_database! {
    async fn deleted_sources_go_object_and_rows_and_no_others(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T19:00:00Z").await;
        bench.members(1..=1).await;
        let mut objects = Vec::new();
        for (id, status) in [(1, "UPLOADED"), (2, "PROCESSING"), (3, "READY"), (4, "FAILED"), (5, "DELETED"), (6, "DELETED")] {
            objects.push(bench.stored(id, status).await);
        }
        bench.sql("INSERT INTO source_text (source_id, content) VALUES (5, 'text')").await;

        assert_eq!(bench.run(SOURCES).await.affected, 2);
        assert_eq!(bench.sources_left().await, [1, 2, 3, 4]);
        assert_eq!(bench.number("SELECT count(*) FROM source_text").await, 0);
        let exist: Vec<bool> = objects.iter().map(|object| object.exists()).collect();
        assert_eq!(exist, [true, true, true, true, false, false]);
        assert_eq!(bench.run(SOURCES).await.affected, 0);
    }

    async fn a_living_set_of_any_status_keeps_its_source_and_a_deleted_one_does_not(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T19:00:00Z").await;
        bench.members(1..=1).await;
        for (id, status) in [(1, "PENDING"), (2, "COMPLETE"), (3, "FAILED")] {
            assert!(bench.stored(id, "DELETED").await.exists());
            bench.set(id, Set { status, ..Set::default() }).await;
            bench.link(id, id).await;
            // The same source in a set that is deleted.
            bench.set(id + 10, Set { status, deleted_at: Some(at("2026-11-20T00:00:00Z")), ..Set::default() }).await;
            bench.link(id + 10, id).await;
        }
        let free = bench.stored(4, "DELETED").await;
        bench.set(14, Set { status: "COMPLETE", deleted_at: Some(at("2026-11-20T00:00:00Z")), ..Set::default() }).await;
        bench.link(14, 4).await;

        assert_eq!(bench.run(SOURCES).await.affected, 1);
        assert_eq!(bench.sources_left().await, [1, 2, 3]);
        assert!(!free.exists());
        assert_eq!(bench.number("SELECT count(*) FROM question_set").await, 7, "sets stay");

        bench.sql("UPDATE question_set SET deleted_at = updated_at WHERE id = 2").await;
        assert_eq!(bench.run(SOURCES).await.affected, 1);
        assert_eq!(bench.sources_left().await, [1, 3]);
    }

    async fn an_object_that_cannot_be_deleted_stops_no_other_and_is_tried_again(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T19:00:00Z", |config| config.source.cleanup_batch = 2).await;
        bench.members(1..=1).await;
        let mut objects = Vec::new();
        for id in 1..=5 {
            objects.push(bench.stored(id, "DELETED").await);
        }
        // A folder in the object's place: no permission can delete it as a file.
        let stubborn = &objects[1];
        std::fs::remove_file(stubborn).unwrap();
        std::fs::create_dir_all(stubborn.join("inside")).unwrap();

        assert_eq!(bench.run(SOURCES).await.affected, 4);
        assert_eq!(bench.sources_left().await, [2], "its rows stay with it");
        assert_eq!(objects.iter().filter(|object| object.exists()).count(), 1);

        std::fs::remove_dir_all(stubborn).unwrap();
        std::fs::write(stubborn, "notes").unwrap();
        bench.set_clock("2026-11-23T19:00:00Z");
        assert_eq!(bench.run(SOURCES).await.affected, 1);
        assert!(bench.sources_left().await.is_empty() && !stubborn.exists());
    }

    async fn an_object_that_is_gone_already_is_no_failure(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T19:00:00Z").await;
        bench.members(1..=1).await;
        std::fs::remove_file(bench.stored(1, "DELETED").await).unwrap();
        assert_eq!(bench.run(SOURCES).await.affected, 1);
        assert!(bench.sources_left().await.is_empty());
    }
}
