//! The cleanup of deleted sources and old uploads.

use ground::{Connection, Fence, FenceError, NoFence};

use super::*;
use crate::platform::storage::{
    LocalObject, ObjectKey, ObjectMeta, Storage, StorageError, UploadTicket,
};
use crate::source::{CleanupError, Removed};

/// A run that was superseded.
struct Superseded;

#[async_trait]
impl Fence for Superseded {
    async fn check(&self, _: &mut Connection<'_>) -> Result<(), FenceError> {
        Err(FenceError::Lost)
    }
}

/// A run that is superseded once its objects are gone.
struct SupersededLater(std::sync::atomic::AtomicBool);

#[async_trait]
impl Fence for SupersededLater {
    async fn check(&self, _: &mut Connection<'_>) -> Result<(), FenceError> {
        if self.0.swap(true, std::sync::atomic::Ordering::Relaxed) {
            Err(FenceError::Lost)
        } else {
            Ok(())
        }
    }
}

/// A folder under which a question set comes to need a source in the very moment in which its object goes.
struct NeededMeanwhile(Db, i64, i64);

#[async_trait]
impl Storage for NeededMeanwhile {
    async fn upload_url(&self, _: &UploadTicket) -> Result<String, StorageError> {
        Err(StorageError::Missing)
    }

    async fn head(&self, _: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        Ok(None)
    }

    async fn open(&self, _: &ObjectKey, _: Option<&str>) -> Result<LocalObject, StorageError> {
        Err(StorageError::Missing)
    }

    async fn delete(&self, _: &ObjectKey) -> Result<(), StorageError> {
        let sql = "INSERT INTO question_set_source (question_set_id, source_id) VALUES ($1, $2)";
        let values = vec![self.1.into(), self.2.into()];
        self.0
            .write()
            .run(sql, values)
            .await
            .map(drop)
            .map_err(|error| StorageError::Unavailable {
                what: "link",
                reason: error.to_string(),
            })
    }

    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

fn removed(removed: u64) -> Removed {
    Removed { removed, failed: 0 }
}

impl World {
    async fn clean(&self) -> Removed {
        let cancel = CancellationToken::new();
        let cleaned = self.sources.cleanup(&NoFence, &cancel, &|_, _| {}).await;
        cleaned.unwrap()
    }

    async fn prune(&self) -> Removed {
        let cancel = CancellationToken::new();
        let age = TimeDelta::hours(24);
        let pruned = self.sources.prune_uploads(age, 2, &NoFence, &cancel).await;
        pruned.unwrap()
    }

    /// A source that its member deleted, and where its object is.
    async fn deleted(&self) -> (i64, std::path::PathBuf) {
        let id = self.source(ALICE, "x").await;
        self.delete(ALICE, id).await;
        let path = self.column(id, "file_path").await.unwrap();
        (id, self.object(&path))
    }
}

testkit::on_each_database! {
    async fn only_deleted_sources_that_nobody_needs_go_with_their_objects(db: testkit::Database) {
        let world = World::on(db).await;
        let kept = world.source(ALICE, "x").await;
        let (free, free_object) = world.deleted().await;
        let (needed, needed_object) = world.deleted().await;
        let (unneeded, unneeded_object) = world.deleted().await;
        let (read, read_object) = world.deleted().await;
        // Any status counts, and one living set is enough.
        world.question_set("FAILED", &[needed]).await;
        let dead = world.question_set("COMPLETE", &[needed, unneeded]).await;
        let db = world.db.write();
        db.run("UPDATE question_set SET deleted_at = created_at WHERE id = $1", vec![dead.into()]).await.unwrap();
        let later: DateTime<Utc> = "9999-01-01T00:00:00Z".parse().unwrap();
        db.run("UPDATE source SET extraction_until = $2 WHERE id = $1", vec![read.into(), later.into()]).await.unwrap();

        assert_eq!(world.clean().await, removed(2));
        let left = db.scalars::<i64, _>("SELECT id FROM source ORDER BY id", vec![]).await.unwrap();
        assert_eq!(left, [kept, needed, read]);
        assert!(!free_object.exists() && !unneeded_object.exists(), "{free} {unneeded}");
        assert!(needed_object.exists() && read_object.exists());
        let links = db.scalars::<i64, _>("SELECT source_id FROM question_set_source", vec![]).await.unwrap();
        assert_eq!(links, [needed, needed]);
        assert_eq!(world.count("SELECT COUNT(*) FROM upload").await, 3);
        assert_eq!(world.clean().await, removed(0));
    }

    async fn an_object_that_cannot_be_deleted_never_stops_the_rest_and_is_tried_again(db: testkit::Database) {
        let world = World::on(db).await;
        let mut objects = Vec::new();
        for _ in 0..5 {
            objects.push(world.deleted().await);
        }
        let (stuck, stuck_object) = objects.remove(1);
        std::fs::remove_file(&stuck_object).unwrap();
        std::fs::create_dir(&stuck_object).unwrap();
        let (foreign, _) = objects.remove(2);
        let sql = "UPDATE source SET file_path = '../outside' WHERE id = $1";
        world.db.write().run(sql, vec![foreign.into()]).await.unwrap();

        let heard = Mutex::new(Vec::new());
        let cancel = CancellationToken::new();
        let progress = |done, total| heard.lock().unwrap().push((done, total));
        let cleaned = world.sources.cleanup(&NoFence, &cancel, &progress).await.unwrap();
        assert_eq!(cleaned, Removed { removed: 3, failed: 2 });
        assert_eq!(*heard.lock().unwrap(), [(2, 5), (4, 5), (5, 5)]);
        let left = world.db.read().scalars::<i64, _>("SELECT id FROM source ORDER BY id", vec![]).await.unwrap();
        assert_eq!(left, [stuck, foreign]);

        std::fs::remove_dir(&stuck_object).unwrap();
        assert_eq!(world.clean().await, Removed { removed: 1, failed: 1 });
    }

    async fn rows_go_only_if_nobody_needs_them_in_the_moment_when_they_go(db: testkit::Database) {
        let world = World::on(db).await;
        let (id, _) = world.deleted().await;
        let set = world.question_set("PENDING", &[]).await;
        let storage = Arc::new(NeededMeanwhile(world.db.clone(), set, id));
        let limits = SourceLimits::from(&Config::default());
        let sources = Sources::new(world.db.clone(), storage, chrono_tz::UTC, limits, Arc::new(Utc::now));
        let cleaned = sources.cleanup(&NoFence, &CancellationToken::new(), &|_, _| {}).await;
        assert_eq!(cleaned.unwrap(), removed(0));
        assert_eq!(world.column(id, "status").await.as_deref(), Some("DELETED"));
        assert_eq!(world.count("SELECT COUNT(*) FROM question_set_source").await, 1);
    }

    async fn a_superseded_run_touches_nothing(db: testkit::Database) {
        let world = World::on(db).await;
        let (_, object) = world.deleted().await;
        let cancel = CancellationToken::new();
        let stopped = world.sources.cleanup(&Superseded, &cancel, &|_, _| {}).await;
        assert!(matches!(stopped, Err(CleanupError::Fence(FenceError::Lost))));
        assert!(object.exists());
        assert_eq!(world.sources_stored().await, 1);
        cancel.cancel();
        let stopped = world.sources.cleanup(&NoFence, &cancel, &|_, _| {}).await;
        assert!(matches!(stopped, Err(CleanupError::Cancelled)));
        assert!(object.exists());
    }

    async fn a_run_that_ends_between_object_and_rows_is_finished_by_the_next(db: testkit::Database) {
        let world = World::on(db).await;
        let (_, object) = world.deleted().await;
        let cancel = CancellationToken::new();
        let fence = SupersededLater(false.into());
        let stopped = world.sources.cleanup(&fence, &cancel, &|_, _| {}).await;
        assert!(matches!(stopped, Err(CleanupError::Fence(FenceError::Lost))));
        assert!(!object.exists());
        assert_eq!(world.sources_stored().await, 1);
        assert_eq!(world.clean().await, removed(1));
        assert_eq!(world.sources_stored().await, 0);
    }

    async fn uploads_that_nobody_completed_go_after_a_day_with_what_was_put_to_them(db: testkit::Database) {
        let world = World::on(db).await;
        let mut old = Vec::new();
        for _ in 0..3 {
            let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
            world.put(&asked, "hello").await;
            old.push(asked);
        }
        let completed = world.source(ALICE, "x").await;
        world.pass(TimeDelta::hours(24));
        assert_eq!(world.prune().await, removed(0));
        world.pass(TimeDelta::seconds(1));
        let young = world.ask(ALICE, "b.txt", "text/plain", 5).await;
        world.put(&young, "hello").await;

        assert_eq!(world.prune().await, removed(3));
        for asked in &old {
            assert!(!world.object(asked.text("filePath")).exists());
            assert_eq!(world.complete(asked).await.1["code"], "S_004");
        }
        assert!(world.object(young.text("filePath")).exists());
        assert_eq!(world.complete(&young).await.0, 200);
        assert_eq!(world.get(ALICE).await.len(), 2);
        assert!(world.object(&world.column(completed, "file_path").await.unwrap()).exists());
    }

    async fn an_upload_whose_object_stays_is_closed_and_pruned_by_a_later_run(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        let object = world.object(asked.text("filePath"));
        std::fs::create_dir_all(&object).unwrap();
        world.pass(TimeDelta::hours(25));
        assert_eq!(world.prune().await, Removed { removed: 0, failed: 1 });
        assert_eq!(world.complete(&asked).await.1["code"], "S_004");
        std::fs::remove_dir(&object).unwrap();
        assert_eq!(world.prune().await, removed(1));
        assert_eq!(world.count("SELECT COUNT(*) FROM upload").await, 0);
    }
}
