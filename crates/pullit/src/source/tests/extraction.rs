//! The extraction loop: leases, retries, ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use document_text::{ExtractionFailure, code};
use tokio::sync::Notify;

use super::*;

const LONG: Duration = Duration::from_secs(10);

/// Answers what it was told to, one after the other.
struct Scripted(Mutex<VecDeque<Result<Extracted, ExtractionError>>>);

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<Extracted, ExtractionError>>) -> Self {
        Self(Mutex::new(answers.into_iter().collect()))
    }
}

#[async_trait]
impl Extract for Scripted {
    async fn extract(
        &self,
        _: &Path,
        _: DocumentKind,
        _: &CancellationToken,
    ) -> Result<Extracted, ExtractionError> {
        self.0.lock().unwrap().pop_front().unwrap()
    }
}

/// Says when it has begun, and goes on when it is let.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    open: Arc<Notify>,
    /// Goes on although it is cancelled, like a process that was stopped and resumed.
    deaf: Arc<AtomicBool>,
}

#[async_trait]
impl Extract for Gate {
    async fn extract(
        &self,
        file: &Path,
        kind: DocumentKind,
        cancel: &CancellationToken,
    ) -> Result<Extracted, ExtractionError> {
        self.begun.notify_one();
        let deaf = self.deaf.load(Ordering::Relaxed);
        tokio::select! {
            () = cancel.cancelled(), if !deaf => Err(ExtractionError::Cancelled),
            () = self.open.notified() => Plainly.extract(file, kind, cancel).await,
        }
    }
}

fn unavailable() -> Result<Extracted, ExtractionError> {
    Err(ExtractionError::Unavailable("out of everything".to_owned()))
}

fn read(text: &str) -> Result<Extracted, ExtractionError> {
    Ok(Extracted {
        text: text.to_owned(),
        page_count: None,
    })
}

impl World {
    async fn set(&self, sql: &'static str, id: i64) {
        assert_eq!(self.db.write().run(sql, vec![id.into()]).await.unwrap(), 1);
    }

    async fn status(&self, id: i64) -> String {
        self.column(id, "status").await.unwrap()
    }
}

testkit::on_each_database! {
    async fn an_uploaded_source_becomes_ready_with_its_text_and_pages(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "안녕하세요").await;
        assert_eq!(world.drain(Plainly).await, 1);
        assert_eq!(world.status(id).await, "READY");
        assert_eq!(world.column(id, "content").await.as_deref(), Some("안녕하세요"));
        assert_eq!(world.column(id, "extraction_owner").await, None);
        assert_eq!(world.get(ALICE).await[0]["pageCount"], 3);
        assert_eq!(world.drain(Plainly).await, 0);
    }

    async fn a_document_that_is_rejected_fails_its_source_with_the_reason(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "x").await;
        let message = "암호로 보호된 PDF입니다.".to_owned();
        let failure = ExtractionFailure { code: code::DOCUMENT_ENCRYPTED, message: message.clone() };
        world.drain(Scripted::new([Err(ExtractionError::Rejected(failure))])).await;
        assert_eq!(world.column(id, "failure_code").await.as_deref(), Some("DOCUMENT_ENCRYPTED"));
        let listed = &world.get(ALICE).await[0];
        assert_eq!((&listed["status"], &listed["failureReason"]), (&json!("FAILED"), &json!(message)));
    }

    async fn a_reading_that_the_machine_brought_down_is_tried_again(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "x").await;
        assert_eq!(world.drain(Scripted::new([unavailable(), unavailable(), read("x")])).await, 3);
        assert_eq!(world.status(id).await, "READY");
    }

    async fn a_reading_that_was_brought_down_three_times_has_failed(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "x").await;
        assert_eq!(world.drain(Scripted::new([unavailable(), unavailable(), unavailable()])).await, 3);
        assert_eq!(world.status(id).await, "FAILED");
        assert_eq!(world.column(id, "failure_code").await.as_deref(), Some("EXTRACTION_UNAVAILABLE"));
    }

    async fn only_the_version_that_was_verified_is_read(db: testkit::Database) {
        let world = World::on(db).await;
        let changed = world.source(ALICE, "before").await;
        let missing = world.source(ALICE, "before").await;
        let path = |path: Option<String>| world.object(&path.unwrap());
        std::fs::write(path(world.column(changed, "file_path").await), "after!").unwrap();
        std::fs::remove_file(path(world.column(missing, "file_path").await)).unwrap();
        assert_eq!(world.drain(Plainly).await, 2);
        assert_eq!(world.column(changed, "failure_code").await.as_deref(), Some("OBJECT_CHANGED"));
        assert_eq!(world.column(missing, "failure_code").await.as_deref(), Some("OBJECT_MISSING"));
        assert_eq!(world.column(changed, "content").await, None);
    }

    async fn a_source_deleted_while_it_is_read_stays_deleted(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "x").await;
        let gate = Gate::default();
        let reader = world.reader(gate.clone());
        let cancel = CancellationToken::new();
        let deletion = async {
            gate.begun.notified().await;
            assert_eq!(world.delete(ALICE, id).await, 204);
            gate.open.notify_one();
        };
        let (drained, ()) = futures::join!(reader.drain(&cancel), deletion);
        assert_eq!(drained.unwrap(), 1);
        assert_eq!(world.status(id).await, "DELETED");
        assert_eq!(world.column(id, "content").await, None);
        assert_eq!(world.column(id, "extraction_owner").await, None);
    }

    async fn a_reader_that_lost_its_source_to_another_keeps_nothing(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "x").await;
        let gate = Gate::default();
        gate.deaf.store(true, Ordering::Relaxed);
        let reader = world.reader(gate.clone());
        let cancel = CancellationToken::new();
        let takeover = async {
            gate.begun.notified().await;
            world.set("UPDATE source SET extraction_owner = 'another' WHERE id = $1", id).await;
            gate.open.notify_one();
        };
        let (drained, ()) = futures::join!(reader.drain(&cancel), takeover);
        assert_eq!(drained.unwrap(), 1);
        assert_eq!(world.status(id).await, "PROCESSING");
        assert_eq!(world.column(id, "extraction_owner").await.as_deref(), Some("another"));
        assert_eq!(world.column(id, "content").await, None);
    }

    async fn a_source_whose_reader_died_is_read_again_when_the_lease_is_over_and_not_before(db: testkit::Database) {
        let world = World::on(db).await;
        let (dead, live) = (world.source(ALICE, "x").await, world.source(ALICE, "y").await);
        for (id, until) in [(dead, "2026-01-01T00:00:00Z"), (live, "9999-01-01T00:00:00Z")] {
            let until: DateTime<Utc> = until.parse().unwrap();
            let sql = "UPDATE source SET status = 'PROCESSING', extraction_owner = 'another', extraction_until = $2 WHERE id = $1";
            world.db.write().run(sql, vec![id.into(), until.into()]).await.unwrap();
        }
        assert_eq!(world.drain(Plainly).await, 1);
        assert_eq!(world.status(dead).await, "READY");
        assert_eq!(world.status(live).await, "PROCESSING");
    }

    async fn two_readers_never_read_one_source(db: testkit::Database) {
        let world = World::on(db).await;
        for n in 0..6 {
            world.source(ALICE, &n.to_string()).await;
        }
        let cancel = CancellationToken::new();
        let readers = (0..4).map(|_| world.reader(Plainly)).collect::<Vec<_>>();
        let drained = futures::future::join_all(readers.iter().map(|reader| reader.drain(&cancel))).await;
        assert_eq!(drained.into_iter().map(Result::unwrap).sum::<u64>(), 6);
    }

    async fn the_lease_is_extended_while_the_text_is_read(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "x").await;
        let gate = Gate::default();
        let mut reader = world.reader(gate.clone());
        reader.shorten_lease(Duration::from_millis(900));
        let cancel = CancellationToken::new();
        let until = async || {
            let sql = "SELECT extraction_until FROM source WHERE id = $1";
            let until = world.db.read().scalar::<DateTime<Utc>, _>(sql, vec![id.into()]).await;
            until.unwrap().unwrap()
        };
        let extension = async {
            gate.begun.notified().await;
            let first = until().await;
            testkit::wait::until("the lease has been extended past its first end", LONG, async || {
                until().await > first + TimeDelta::milliseconds(900)
            })
            .await;
            gate.open.notify_one();
        };
        let (drained, ()) = futures::join!(reader.drain(&cancel), extension);
        assert_eq!(drained.unwrap(), 1);
        assert_eq!(world.status(id).await, "READY");
    }

    async fn a_reader_stops_when_its_source_is_deleted(db: testkit::Database) {
        let world = World::on(db).await;
        let id = world.source(ALICE, "x").await;
        let gate = Gate::default();
        let mut reader = world.reader(gate.clone());
        reader.shorten_lease(Duration::from_millis(900));
        let cancel = CancellationToken::new();
        let deletion = async {
            gate.begun.notified().await;
            world.delete(ALICE, id).await;
        };
        // The gate never opens: only the lost lease ends the reading.
        let (drained, ()) = futures::join!(reader.drain(&cancel), deletion);
        assert_eq!(drained.unwrap(), 1);
        assert_eq!(world.status(id).await, "DELETED");
        assert_eq!(world.column(id, "extraction_owner").await, None);
    }

    async fn a_completed_upload_wakes_the_loop_at_once_and_a_stopped_loop_gives_its_source_back(db: testkit::Database) {
        let world = World::on(db).await;
        let gate = Gate::default();
        let reader = world.reader(gate.clone());
        let cancel = CancellationToken::new();
        let running = tokio::spawn({
            let cancel = cancel.clone();
            async move { reader.run(cancel).await }
        });
        // The loop polls once an hour here.
        let first = world.source(ALICE, "x").await;
        tokio::time::timeout(LONG, gate.begun.notified()).await.unwrap();
        gate.open.notify_one();
        testkit::wait::until("the source is ready", LONG, async || world.status(first).await == "READY").await;

        let second = world.source(ALICE, "y").await;
        tokio::time::timeout(LONG, gate.begun.notified()).await.unwrap();
        cancel.cancel();
        running.await.unwrap();
        assert_eq!(world.status(second).await, "UPLOADED");
        assert_eq!(world.drain(Plainly).await, 1);
        assert_eq!(world.status(second).await, "READY");
    }
}
