//! pruneHistory.

use super::bench::{Bench, CLEANUP, PRUNE, literal};
use chrono::{DateTime, TimeDelta, Utc};

testkit::on_each_database! {
    async fn each_kind_of_history_is_kept_for_its_time_and_pruned_in_batches(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T19:30:00Z", |config| config.retention.batch = 2).await;
        bench.members(1..=1).await;
        bench.run(CLEANUP).await;
        let now: DateTime<Utc> = (bench.app.now)();
        // Five rows that are over by a moment, and one that is kept to the last moment.
        let kept = |time: TimeDelta| (0..6).map(move |n: i64| (n, if n < 5 { now - time - TimeDelta::microseconds(1) } else { now - time }));
        for (n, time) in kept(TimeDelta::days(30)) {
            let sql = format!("INSERT INTO notification (id, member_id, event_name, payload, created_at) VALUES ({}, 1, 'x', '{{}}', {})", n + 1, literal(time));
            bench.sql(&sql).await;
        }
        for (n, time) in kept(TimeDelta::days(14)) {
            let sql = format!("INSERT INTO processed_event (event_id, consumer, processed_at) VALUES ('e0000000-0000-4000-8000-00000000000{n}', 'x', {})", literal(time));
            bench.sql(&sql).await;
        }
        for (n, time) in kept(TimeDelta::days(365)) {
            let sql = format!("INSERT INTO outbox_audit (at, actor, action, event, event_id, event_type, aggregate_key, attempts) \
                 VALUES ({}, 'kim', 'DISCARD', {n}, 'e0000000-0000-4000-8000-00000000000{n}', 'x', 'k', 1)", literal(time));
            bench.sql(&sql).await;
        }
        for (n, time) in kept(TimeDelta::days(7)) {
            let sql = format!("INSERT INTO refresh_token (family_id, member_id, token_hash, created_at, expires_at) VALUES ('f', 1, 'hash{n}', {0}, {0})", literal(time));
            bench.sql(&sql).await;
        }
        for (n, time) in kept(TimeDelta::hours(24)) {
            let sql = format!("INSERT INTO idempotency_key (member_id, scope, key, request_hash, status, body, created_at) VALUES (1, 'marking', 'key{n}', 'h', 200, '{{}}', {})", literal(time));
            bench.sql(&sql).await;
        }
        for (n, time) in kept(TimeDelta::days(90)) {
            let sql = format!(
                "INSERT INTO job_run (id, job_name, scheduled_at, started_at, finished_at, node, attempt, status, cause, affected, retries) \
                 VALUES ({}, '{CLEANUP}', {1}, {1}, {1}, 'old', {n}, 'SUCCEEDED', 'SCHEDULE', 0, 0)", n - 10, literal(time));
            bench.sql(&sql).await;
        }
        let mut objects = Vec::new();
        for (n, time) in kept(TimeDelta::hours(24)) {
            let path = format!("learning-sources/2026/11/21/member-1/upload-{n}.txt");
            let sql = format!("INSERT INTO upload (id, member_id, file_path, original_name, content_type, file_size_bytes, created_at, expires_at) \
                 VALUES ('upload-{n}', 1, '{path}', 'n.txt', 'text/plain', 5, {0}, {0})", literal(time));
            bench.sql(&sql).await;
            let object = bench.object(&path);
            std::fs::create_dir_all(object.parent().unwrap()).unwrap();
            std::fs::write(&object, "notes").unwrap();
            objects.push(object);
        }

        assert_eq!(bench.run(PRUNE).await.affected, 35);

        assert_eq!(bench.numbers("SELECT id FROM notification").await, [6]);
        assert_eq!(bench.number("SELECT count(*) FROM processed_event WHERE processed_at IS NOT NULL").await, 1);
        assert_eq!(bench.numbers("SELECT event FROM outbox_audit").await, [5]);
        assert_eq!(bench.texts("SELECT token_hash FROM refresh_token").await, ["hash5"]);
        assert_eq!(bench.texts("SELECT key FROM idempotency_key").await, ["key5"]);
        assert_eq!(bench.texts("SELECT id FROM upload").await, ["upload-5"]);
        let exist: Vec<bool> = objects.iter().map(|object| object.exists()).collect();
        assert_eq!(exist, [false, false, false, false, false, true]);
        let runs = format!("SELECT id FROM job_run WHERE job_name = '{CLEANUP}' AND id < 0");
        assert_eq!(bench.numbers(&runs).await, [-5]);

        assert_eq!(bench.run(PRUNE).await.affected, 0);
        bench.clock.advance(TimeDelta::microseconds(1));
        assert_eq!(bench.run(PRUNE).await.affected, 7);
    }

    async fn a_member_keeps_so_many_notifications_and_no_more(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T19:30:00Z", |config| {
            config.retention.batch = 2;
            config.retention.notifications_per_member = 3;
        })
        .await;
        bench.members(1..=4).await;
        // Mixed, as they come: 9 of one member, 3 of another, 4 of a third, none of the fourth.
        let members = [1, 2, 1, 1, 3, 2, 1, 3, 1, 1, 3, 1, 2, 1, 3, 1];
        for (member, id) in members.iter().zip(1..) {
            let time = literal((bench.app.now)());
            let sql = format!("INSERT INTO notification (id, member_id, event_name, payload, created_at) VALUES ({id}, {member}, 'x', '{{}}', {time})");
            bench.sql(&sql).await;
        }
        assert_eq!(bench.run(PRUNE).await.affected, 7);
        assert_eq!(bench.numbers("SELECT id FROM notification ORDER BY id").await, [2, 6, 8, 11, 12, 13, 14, 15, 16]);
        assert_eq!(bench.numbers("SELECT member_id FROM notification_horizon ORDER BY member_id").await, [1, 3]);
        assert_eq!(bench.numbers("SELECT pruned_to FROM notification_horizon ORDER BY member_id").await, [10, 5]);
        assert_eq!(bench.run(PRUNE).await.affected, 0);
    }

    async fn the_mark_of_a_dead_letter_is_kept_for_as_long_as_it_can_be_replayed(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T19:30:00Z").await;
        for (n, status) in [(1, "DEAD"), (2, "PENDING")] {
            let event = format!("INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, status) \
                 VALUES ('e0000000-0000-4000-8000-00000000000{n}', 'x', 'k', '{{}}', '{status}')");
            bench.sql(&event).await;
        }
        for n in 1..=3 {
            let mark = format!("INSERT INTO processed_event (event_id, consumer, processed_at) \
                 VALUES ('e0000000-0000-4000-8000-00000000000{n}', 'x', '2025-01-01T00:00:00.000000+00:00')");
            bench.sql(&mark).await;
        }
        assert_eq!(bench.run(PRUNE).await.affected, 1);
        assert_eq!(bench.number("SELECT count(*) FROM processed_event").await, 2);
    }

    async fn the_newest_run_of_a_job_is_kept_whatever_its_age(db: testkit::Database) {
        let bench = Bench::on(db, "2020-01-01T00:00:00Z").await;
        bench.run(CLEANUP).await;
        bench.set_clock("2026-11-22T19:30:00Z");
        assert_eq!(bench.run(PRUNE).await.affected, 0);
        assert_eq!(bench.number("SELECT count(*) FROM job_run").await, 2);
    }

    async fn an_upload_that_became_a_source_is_no_history(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T19:30:00Z").await;
        bench.members(1..=1).await;
        bench.source(5, 1, "text").await;
        let old = "'2026-11-01T00:00:00.000000+00:00'";
        bench.sql(&format!(
            "INSERT INTO upload (id, member_id, file_path, original_name, content_type, file_size_bytes, created_at, expires_at, completed_at, source_id) \
             VALUES ('done', 1, 'learning-sources/done.txt', 'n.txt', 'text/plain', 5, {old}, {old}, {old}, 5)"
        ))
        .await;
        assert_eq!(bench.run(PRUNE).await.affected, 0);
        assert_eq!(bench.texts("SELECT id FROM upload").await, ["done"]);
    }
}
