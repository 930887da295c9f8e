//! cleanupStalePendingQuestionSets.

use super::bench::{Bench, CLEANUP, RETRY, at};
use super::rows::Set;

testkit::on_each_database! {
    async fn a_set_fails_when_it_has_been_pending_for_sixty_minutes_and_not_a_moment_before(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        let pending = |since: &str| Set { pending_since: at(since), ..Set::default() };
        bench.set(10, pending("2026-11-22T09:00:00Z")).await;
        bench.set(11, pending("2026-11-22T09:00:00.000001Z")).await;
        bench.set(12, pending("2026-11-22T08:00:00Z")).await;
        let untouched = bench.row(11).await;

        let run = bench.run(CLEANUP).await;

        assert_eq!((run.affected, run.retries), (2, 0));
        assert_eq!(run.scheduled_at, at("2026-11-22T10:00:00Z"));
        for id in [10, 12] {
            let row = bench.row(id).await;
            assert_eq!((row.status.as_str(), row.failure_reason.as_deref()), ("FAILED", Some("TIMEOUT")));
            assert_eq!((row.version, row.retry_count), (8, 0));
            assert_eq!(row.updated_at, at("2026-11-22T10:00:00Z"));
        }
        assert_eq!(bench.row(11).await, untouched);

        bench.set_clock("2026-11-22T10:00:00.000001Z");
        assert_eq!(bench.run(CLEANUP).await.affected, 1);
        assert_eq!(bench.row(11).await.status, "FAILED");
        assert_eq!(bench.run(CLEANUP).await.affected, 0);
    }

    async fn the_hour_counts_from_when_a_set_last_became_pending_not_from_its_birth(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.set(10, Set { status: "FAILED", ..Set::default() }).await;

        assert_eq!(bench.run(RETRY).await.affected, 1);
        assert_eq!(bench.run(CLEANUP).await.affected, 0);
        assert_eq!(bench.row(10).await.status, "PENDING");

        bench.set_clock("2026-11-22T10:59:59.999999Z");
        assert_eq!(bench.run(CLEANUP).await.affected, 0);
        bench.set_clock("2026-11-22T11:00:00Z");
        assert_eq!(bench.run(CLEANUP).await.affected, 1);
        assert_eq!(bench.row(10).await.failure_reason.as_deref(), Some("TIMEOUT"));
    }

    async fn every_owner_is_told_once_and_whether_it_will_be_tried_again(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=3).await;
        bench.set(10, Set::default()).await;
        bench.set(11, Set { owner: 2, retry_count: 3, ..Set::default() }).await;
        bench.set(12, Set { owner: 3, retryable: false, ..Set::default() }).await;

        assert_eq!(bench.run(CLEANUP).await.affected, 3);
        let published = bench.outbox().await;
        assert_eq!(published.len(), 3);
        assert!(published.iter().all(|event| event.event_type == "QUESTION_SET_FAILED"));
        assert_eq!(bench.told().await.len(), 0, "a notification goes through the outbox");

        bench.relay().await;
        assert_eq!(bench.outbox().await.len(), 0);
        let mut told = bench.told().await;
        told.sort_by_key(|told| told.member_id);
        assert_eq!(told.len(), 3);
        for (told, (member, set, next)) in told.iter().zip([
            (1, 10, "자동으로 다시 시도합니다"),
            (2, 11, "다시 시도하지 않습니다"),
            (3, 12, "다시 시도하지 않습니다"),
        ]) {
            assert_eq!((told.member_id, told.event_name.as_str()), (member, "questionSetCreationComplete"));
            assert_eq!(told.payload["success"], false);
            assert_eq!(told.payload["questionSetId"], set);
            let message = told.payload["message"].as_str().unwrap();
            assert!(message.contains(next), "{message}");
        }
    }

    async fn a_set_that_its_owner_deleted_fails_in_silence(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.set(10, Set { deleted_at: Some(at("2026-11-22T09:30:00Z")), ..Set::default() }).await;
        assert_eq!(bench.run(CLEANUP).await.affected, 1);
        assert_eq!(bench.row(10).await.status, "FAILED");
        assert_eq!(bench.outbox().await.len(), 0);
    }

    async fn complete_and_failed_sets_are_left_alone(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=1).await;
        bench.set(10, Set { status: "COMPLETE", ..Set::default() }).await;
        bench.set(11, Set { status: "FAILED", ..Set::default() }).await;
        let before = (bench.row(10).await, bench.row(11).await);
        assert_eq!(bench.run(CLEANUP).await.affected, 0);
        assert_eq!((bench.row(10).await, bench.row(11).await), before);
        assert_eq!(bench.outbox().await.len(), 0);
    }

    async fn more_sets_than_one_batch_holds_fail_in_one_run(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T10:00:00Z", |config| config.question_set.cleanup_batch = 3).await;
        bench.members(1..=1).await;
        for id in 1..=8 {
            bench.set(id, Set::default()).await;
        }
        assert_eq!(bench.run(CLEANUP).await.affected, 8);
        let failed = "SELECT count(*) FROM question_set WHERE status = 'FAILED' AND version = 8";
        assert_eq!(bench.number(failed).await, 8);
        let told = "SELECT count(DISTINCT aggregate_key) FROM outbox_event";
        assert_eq!((bench.outbox().await.len(), bench.number(told).await), (8, 8));
    }
}
