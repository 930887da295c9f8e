//! Attempts at a question set: their results count once, and only while they are current.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use question_maker::{
    GeneratedQuestion, GenerationError, GenerationRequest, OfflineGenerator, QuestionGenerator,
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, CLEANUP, RETRY, at};
use super::rows::Set;

const TEXT: &str = include_str!("../../../../../examples/cells-and-heredity.en.txt");

/// Says when it is asked, and answers when it is let go.
struct Held {
    asked: Notify,
    go: Semaphore,
    answers: AtomicUsize,
    fails: bool,
}

impl Held {
    fn new(fails: bool) -> Arc<Self> {
        Arc::new(Self {
            asked: Notify::new(),
            go: Semaphore::new(0),
            answers: AtomicUsize::new(0),
            fails,
        })
    }
}

#[async_trait]
impl QuestionGenerator for Held {
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        self.asked.notify_one();
        self.go.acquire().await.unwrap().forget();
        self.answers.fetch_add(1, Ordering::Relaxed);
        if self.fails {
            return Err(GenerationError::Transient {
                code: "GENERATOR_DOWN",
                message: "…".to_owned(),
                retry_after: None,
            });
        }
        OfflineGenerator.generate(request, cancel).await
    }
}

/// A set that was asked for at 09:00 and whose request waits for a worker.
async fn asked(bench: &Bench) {
    bench.members(1..=1).await;
    bench.source(5, 1, TEXT).await;
    let nine = at("2026-11-22T09:00:00Z");
    let set = Set {
        status: "FAILED",
        updated_at: nine,
        created_at: nine,
        ..Set::default()
    };
    bench.set(10, set).await;
    bench.link(10, 5).await;
    bench.run(RETRY).await;
    bench.relay().await;
}

/// Attempt 1 is under way when the set times out and attempt 2 begins; then attempt 1 ends.
async fn overtaken(db: testkit::Database, fails: bool) {
    let first = Bench::on(db, "2026-11-22T09:00:00Z").await;
    asked(&first).await;
    let held = Held::new(fails);
    let slow = first.generating(Some(held.clone()), |_| {}).await;
    let cancel = CancellationToken::new();
    let (worker, stop) = (slow.app.worker.clone(), cancel.clone());
    let working = tokio::spawn(async move { worker.run(stop).await });
    held.asked.notified().await;

    first.set_clock("2026-11-22T10:00:00Z");
    assert_eq!(first.run(CLEANUP).await.affected, 1);
    assert_eq!(first.run(RETRY).await.affected, 1);
    let waiting = first.row(10).await;
    assert_eq!(
        (waiting.status.as_str(), waiting.retry_count),
        ("PENDING", 2)
    );
    first.relay().await;
    assert_eq!(first.told().await.len(), 1, "of the timeout");

    held.go.add_permits(1);
    testkit::wait::until("the first attempt is over and gone", super::bench::TIMEOUT, async || {
        first.number("SELECT count(*) FROM processed_event WHERE consumer = 'QuestionGenerationWorker'").await == 1
    })
    .await;
    assert_eq!(
        first.row(10).await,
        waiting,
        "the older attempt's end is not kept"
    );
    assert_eq!(first.number("SELECT count(*) FROM question").await, 0);
    assert_eq!(first.outbox().await.len(), 0, "nobody is told of it");

    // The second attempt, which the same worker takes next or holds already.
    held.go.add_permits(1);
    testkit::wait::until(
        "the second attempt is over",
        super::bench::TIMEOUT,
        async || first.row(10).await.status != "PENDING",
    )
    .await;
    cancel.cancel();
    working.await.unwrap();
    first.relay().await;
    let told = first.told().await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].payload["success"], !fails);
    let questions = first.number("SELECT count(*) FROM question").await;
    assert_eq!(questions, if fails { 0 } else { 3 });
}

/// Its owner deletes the set while its questions are made.
async fn deleted_meanwhile(db: testkit::Database, fails: bool) {
    let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
    asked(&bench).await;
    let held = Held::new(fails);
    let slow = bench.generating(Some(held.clone()), |_| {}).await;
    slow.work_until("the work is over", async || {
        if bench
            .number("SELECT count(*) FROM question_set WHERE deleted_at IS NULL")
            .await
            == 1
        {
            held.asked.notified().await;
            bench
                .sql("UPDATE question_set SET deleted_at = updated_at, version = version + 1")
                .await;
            held.go.add_permits(1);
        }
        bench.number("SELECT count(*) FROM work_item").await == 0
    })
    .await;
    bench.set_clock("2026-11-22T10:00:00Z");
    bench.run(CLEANUP).await;
    bench.relay().await;
    assert_eq!(bench.row(10).await.status, "FAILED");
    assert_eq!(bench.number("SELECT count(*) FROM question").await, 0);
    assert_eq!(bench.told().await.len(), 0);
}

testkit::on_each_database! {
    async fn a_result_of_an_older_attempt_is_dropped_in_silence(db: testkit::Database) {
        overtaken(db, false).await;
    }

    async fn a_failure_of_an_older_attempt_is_dropped_in_silence(db: testkit::Database) {
        overtaken(db, true).await;
    }

    async fn a_result_after_the_timeout_is_dropped_and_the_set_stays_failed(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        asked(&bench).await;
        let held = Held::new(false);
        let slow = bench.generating(Some(held.clone()), |_| {}).await;
        slow.work_until("the late result is dropped", async || {
            if bench.row(10).await.status == "PENDING" {
                held.asked.notified().await;
                bench.set_clock("2026-11-22T10:00:00Z");
                assert_eq!(bench.run(CLEANUP).await.affected, 1);
                held.go.add_permits(1);
            }
            bench.number("SELECT count(*) FROM work_item").await == 0
        })
        .await;
        let row = bench.row(10).await;
        assert_eq!((row.status.as_str(), row.failure_reason.as_deref()), ("FAILED", Some("TIMEOUT")));
        assert_eq!(bench.number("SELECT count(*) FROM question").await, 0);
        bench.relay().await;
        assert_eq!(bench.told().await.len(), 1);
    }

    async fn a_set_that_is_deleted_while_its_making_succeeds_is_nobodys_news(db: testkit::Database) {
        deleted_meanwhile(db, false).await;
    }

    async fn a_set_that_is_deleted_while_its_making_fails_is_nobodys_news(db: testkit::Database) {
        deleted_meanwhile(db, true).await;
    }

    async fn the_same_request_delivered_twice_is_stored_and_told_once(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        asked(&bench).await;
        let held = Held::new(false);
        held.go.add_permits(9);
        let worker = bench.generating(Some(held.clone()), |_| {}).await;
        let again = "INSERT INTO work_item (id, queue, event_id, payload, available_at, created_at) \
                     SELECT id + 100, queue, event_id, payload, available_at, created_at FROM kept";
        bench.sql("CREATE TABLE kept AS SELECT * FROM work_item").await;
        worker.work().await;
        let complete = bench.row(10).await;
        assert_eq!(complete.status, "COMPLETE");
        bench.sql(again).await;
        worker.work().await;
        assert_eq!(held.answers.load(Ordering::Relaxed), 1, "what is done is not generated again");

        // A repeat that comes while the set waits for just this attempt: the inbox alone knows that it was handled.
        bench.sql("UPDATE question_set SET status = 'PENDING'").await;
        bench.sql("DELETE FROM question").await;
        bench.sql(again).await;
        worker.work().await;
        assert_eq!(bench.row(10).await.status, "PENDING");
        assert_eq!(bench.number("SELECT count(*) FROM question").await, 0);
        bench.relay().await;
        assert_eq!(bench.told().await.len(), 1);
    }

    async fn two_workers_with_the_same_request_store_it_once(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        asked(&bench).await;
        let (one, two) = (Held::new(false), Held::new(false));
        let first = bench.generating(Some(one.clone()), |_| {}).await;
        let second = bench.generating(Some(two.clone()), |_| {}).await;
        first.work_until("both have answered", async || {
            one.asked.notified().await;
            // The first worker is thought dead: its lease is over.
            bench.clock.advance(chrono::TimeDelta::minutes(1));
            second.work_until("the second worker has answered", async || {
                two.asked.notified().await;
                two.go.add_permits(1);
                one.go.add_permits(1);
                testkit::wait::until("the work is done", super::bench::TIMEOUT, async || {
                    bench.number("SELECT count(*) FROM work_item").await == 0
                        && one.answers.load(Ordering::Relaxed) + two.answers.load(Ordering::Relaxed) == 2
                })
                .await;
                true
            })
            .await;
            true
        })
        .await;
        assert_eq!(bench.row(10).await.status, "COMPLETE");
        assert_eq!(bench.number("SELECT count(*) FROM question").await, 3);
        bench.relay().await;
        assert_eq!(bench.told().await.len(), 1);
    }

    async fn what_no_attempt_can_help_is_not_tried_again(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        bench.members(1..=2).await;
        bench.source(5, 1, "너무 짧다.").await;
        bench.source(6, 2, TEXT).await;
        bench.sql("UPDATE source SET status = 'FAILED' WHERE id = 6").await;
        for (set, owner, source) in [(10, 1, 5), (11, 2, 6)] {
            bench.set(set, Set { owner, status: "FAILED", ..Set::default() }).await;
            bench.link(set, source).await;
            bench.run(RETRY).await;
        }
        bench.relay().await;
        bench.work().await;
        for set in [10, 11] {
            let row = bench.row(set).await;
            assert_eq!((row.status.as_str(), row.retryable, row.retry_count), ("FAILED", false, 1), "{row:?}");
            assert!(row.failure_reason.is_some_and(|reason| reason != "TIMEOUT"));
        }
        assert_eq!(bench.run(RETRY).await.affected, 0);
        bench.relay().await;
        let told = bench.told().await;
        assert_eq!(told.len(), 2);
        for told in told {
            assert_eq!(told.payload["success"], false);
            let message = told.payload["message"].as_str().unwrap();
            assert!(message.contains("다시 시도하지 않습니다"), "{message}");
        }
    }
}
