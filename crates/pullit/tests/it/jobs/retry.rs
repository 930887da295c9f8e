//! retryFailedQuestionSetGeneration.

use ground::Statements;
use scheduler::testkit::Signals;
use scheduler::{Event, RunStatus};
use testkit::Database;

use super::bench::{Bench, RETRY, TIMEOUT, at};
use super::rows::Set;

const TEXT: &str = include_str!("../../../../../examples/cells-and-heredity.en.txt");

fn failed(at_time: &str) -> Set {
    Set {
        status: "FAILED",
        updated_at: at(at_time),
        ..Set::default()
    }
}

/// From here on every change of a question set finds that somebody else was faster.
async fn somebody_is_always_faster(bench: &Bench) {
    if bench.is_postgres() {
        bench
            .sql("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
            .await;
        bench
            .sql("CREATE TRIGGER faster BEFORE UPDATE ON question_set FOR EACH ROW EXECUTE FUNCTION nothing()")
            .await;
    } else {
        bench
            .sql("CREATE TRIGGER faster BEFORE UPDATE ON question_set BEGIN SELECT RAISE(IGNORE); END")
            .await;
    }
}

async fn nobody_is_faster_any_more(bench: &Bench) {
    let of = if bench.is_postgres() {
        " ON question_set"
    } else {
        ""
    };
    bench.sql(&format!("DROP TRIGGER faster{of}")).await;
}

async fn conflict(signals: &mut Signals) -> u32 {
    signals
        .next("a conflict", |event| match event {
            Event::Retrying { job, retries, .. } if job == RETRY => Some(retries),
            _ => None,
        })
        .await
}

testkit::on_each_database! {
    async fn what_failed_longest_ago_is_tried_again_first_and_one_a_run(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.set(10, failed("2026-11-22T09:20:00Z")).await;
        bench.set(11, failed("2026-11-22T09:10:00Z")).await;
        bench.set(12, failed("2026-11-22T09:10:00.000001Z")).await;
        let pending = "SELECT id FROM question_set WHERE status = 'PENDING' ORDER BY id";

        for (run, expected) in [(1, vec![11]), (2, vec![11, 12]), (3, vec![10, 11, 12])] {
            assert_eq!(bench.run(RETRY).await.affected, 1, "run {run}");
            assert_eq!(bench.numbers(pending).await, expected, "run {run}");
        }
        assert_eq!(bench.run(RETRY).await.affected, 0);
    }

    async fn only_a_set_that_may_still_succeed_is_tried_again(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        let long_ago = "2026-11-20T00:00:00Z";
        bench.set(10, Set { retryable: false, ..failed(long_ago) }).await;
        bench.set(11, Set { retry_count: 3, ..failed(long_ago) }).await;
        bench.set(12, Set { deleted_at: Some(at(long_ago)), ..failed(long_ago) }).await;
        bench.set(13, Set { status: "COMPLETE", ..failed(long_ago) }).await;
        bench.set(14, Set { status: "PENDING", ..failed(long_ago) }).await;
        let all = "SELECT id, status, retry_count, retryable, failure_reason, version, pending_since, updated_at \
                   FROM question_set ORDER BY id";
        let before = bench.rows::<super::rows::SetRow>(all).await;
        assert_eq!(bench.run(RETRY).await.affected, 0);
        assert_eq!(bench.rows::<super::rows::SetRow>(all).await, before);
        assert_eq!(bench.outbox().await.len(), 0);

        bench.set(15, Set { retry_count: 2, ..failed("2026-11-22T09:59:00Z") }).await;
        assert_eq!(bench.run(RETRY).await.affected, 1);
        let row = bench.row(15).await;
        assert_eq!((row.status.as_str(), row.retry_count, row.version), ("PENDING", 3, 8));
    }

    async fn a_set_that_is_tried_again_is_really_generated(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.source(5, 1, TEXT).await;
        bench.set(10, Set { retry_count: 1, ..failed("2026-11-22T09:00:00Z") }).await;
        bench.link(10, 5).await;

        assert_eq!(bench.run(RETRY).await.affected, 1);
        let row = bench.row(10).await;
        assert_eq!((row.status.as_str(), row.retry_count, row.version), ("PENDING", 2, 8));
        assert_eq!((row.pending_since, row.updated_at, row.failure_reason), ((bench.app.now)(), (bench.app.now)(), None));
        let published = bench.outbox().await;
        assert_eq!(published.len(), 1);
        assert_eq!(published[0].event_type, "QUESTION_GENERATION_REQUESTED");
        assert_eq!(published[0].payload["questionSetId"], 10);
        assert_eq!(published[0].payload["attempt"], 2);

        bench.relay().await;
        bench.work().await;
        let row = bench.row(10).await;
        assert_eq!((row.status.as_str(), row.retry_count, row.version), ("COMPLETE", 2, 9));
        assert_eq!(bench.number("SELECT count(*) FROM question WHERE question_set_id = 10").await, 3);
        bench.relay().await;
        let told = bench.told().await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].payload["success"], true);
    }

    async fn as_many_sets_a_run_as_the_configuration_says(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T10:00:00Z", |config| config.question_set.retries_per_run = 2).await;
        bench.members(1..=1).await;
        for id in 10..13 {
            bench.set(id, failed("2026-11-22T09:00:00Z")).await;
        }
        assert_eq!(bench.run(RETRY).await.affected, 2);
        assert_eq!(bench.outbox().await.len(), 2);
        assert_eq!(bench.run(RETRY).await.affected, 1);
    }

    async fn a_conflict_is_tried_again_after_a_second_and_counted(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.set(10, failed("2026-11-22T09:00:00Z")).await;
        somebody_is_always_faster(&bench).await;
        let mut signals = Signals::of(&bench.app.scheduler);
        let scheduler = bench.app.scheduler.clone();
        let running = tokio::spawn(async move { scheduler.run_now(RETRY).await });

        assert_eq!(conflict(&mut signals).await, 1);
        assert_eq!(bench.outbox().await.len(), 0, "the event goes with the set or not at all");
        nobody_is_faster_any_more(&bench).await;
        // What the other one wrote.
        bench.sql("UPDATE question_set SET version = version + 1 WHERE id = 10").await;
        bench.clock.advance(chrono::TimeDelta::seconds(1));

        let run = running.await.unwrap().unwrap();
        assert_eq!((run.status, run.affected, run.retries), (RunStatus::Succeeded, 1, 1), "{run:?}");
        bench.assert_recorded(&run).await;
        let row = bench.row(10).await;
        assert_eq!((row.status.as_str(), row.retry_count, row.version), ("PENDING", 1, 9));
        assert_eq!(bench.outbox().await.len(), 1);
    }

    async fn a_set_whose_event_cannot_be_published_stays_failed(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.set(10, failed("2026-11-22T09:00:00Z")).await;
        let before = bench.row(10).await;
        bench.sql("ALTER TABLE outbox_event RENAME TO mislaid").await;
        let run = bench.app.scheduler.run_now(RETRY).await.unwrap();
        assert_eq!((run.status, run.affected), (RunStatus::Failed, 0), "{run:?}");
        assert_eq!(bench.row(10).await, before);
        bench.sql("ALTER TABLE mislaid RENAME TO outbox_event").await;
        assert_eq!(bench.run(RETRY).await.affected, 1);
    }

    async fn three_conflicts_fail_the_run_which_says_so(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.set(10, failed("2026-11-22T09:00:00Z")).await;
        somebody_is_always_faster(&bench).await;
        let mut signals = Signals::of(&bench.app.scheduler);
        let scheduler = bench.app.scheduler.clone();
        let running = tokio::spawn(async move { scheduler.run_now(RETRY).await });
        for expected in 1..=2 {
            assert_eq!(conflict(&mut signals).await, expected);
            bench.clock.advance(chrono::TimeDelta::seconds(1));
        }
        let run = running.await.unwrap().unwrap();
        assert_eq!((run.status, run.affected, run.retries), (RunStatus::Failed, 0, 2));
        let error = run.error.clone().unwrap();
        assert!(error.contains("conflict") && error.contains("question set 10"), "{error}");
        bench.assert_recorded(&run).await;
        assert_eq!(bench.row(10).await.status, "FAILED");
        assert_eq!(bench.outbox().await.len(), 0);
    }
}

/// SQLite has one writer, so nobody can come between there.
#[tokio::test]
async fn a_set_that_somebody_changes_between_the_look_and_the_write_is_a_conflict() {
    let bench = Bench::on(Database::postgres().await, "2026-11-22T10:00:00Z").await;
    bench.members(1..=1).await;
    bench.set(10, failed("2026-11-22T09:00:00Z")).await;
    let mut somebody = bench.app.db.begin().await.unwrap();
    let change = "UPDATE question_set SET version = version + 1 WHERE id = 10";
    somebody.run(change, vec![]).await.unwrap();
    let mut signals = Signals::of(&bench.app.scheduler);
    let scheduler = bench.app.scheduler.clone();
    let running = tokio::spawn(async move { scheduler.run_now(RETRY).await });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    testkit::wait::until("the run waits for the row", TIMEOUT, async || {
        bench.number(waiting).await == 1
    })
    .await;
    somebody.commit().await.unwrap();

    assert_eq!(conflict(&mut signals).await, 1);
    bench.clock.advance(chrono::TimeDelta::seconds(1));
    let run = running.await.unwrap().unwrap();
    assert_eq!(
        (run.status, run.affected, run.retries),
        (RunStatus::Succeeded, 1, 1)
    );
    assert_eq!(bench.row(10).await.version, 9);
    assert_eq!(bench.outbox().await.len(), 1);
}
