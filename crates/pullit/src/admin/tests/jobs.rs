//! The console's jobs: list, run, pause, resume.

use scheduler::testkit::Signals;
use shedlock::LockConfiguration;

use super::*;

testkit::on_each_database! {
    async fn a_run_by_hand_is_answered_with_the_finished_run_and_stands_in_the_history(db: testkit::Database) {
        let world = World::on(db).await;
        assert_eq!(world.get("jobs/quick/history").await, json!([]));
        let answer = world.post("jobs/quick/run").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body["status"], "SUCCEEDED");
        assert_eq!(answer.body["affected"], 3);
        let jobs = world.get("jobs").await;
        assert_eq!(jobs[0]["lastRun"], answer.body);
        assert_eq!(jobs[0]["trigger"], "cron 0 0 4 * * *");
        assert_eq!(jobs[0]["zone"], "Asia/Seoul");
        assert_eq!(jobs[0]["nextRun"], "2026-11-22T19:00:00Z");
        let past = world.get("jobs/quick/history").await;
        assert_eq!(past[0]["id"], answer.body["id"]);
        assert_eq!((&past[0]["cause"], &past[0]["node"]), (&json!("MANUAL"), &json!("this-node")));
    }

    async fn a_run_that_fails_is_an_answer_and_no_error(db: testkit::Database) {
        let world = World::on(db).await;
        let answer = world.post("jobs/broken/run").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body["status"], "FAILED");
        let error = answer.body["error"].as_str().unwrap();
        assert!(error.contains("the storage is full"), "{error}");
    }

    async fn the_history_is_read_backwards_in_pages(db: testkit::Database) {
        let world = World::on(db).await;
        for _ in 0..3 {
            world.clock.advance(TimeDelta::seconds(1));
            assert_eq!(world.post("jobs/quick/run").await.status, 200);
        }
        let first = world.get("jobs/quick/history?limit=2").await;
        assert_eq!(first.as_array().unwrap().len(), 2);
        assert!(first[0]["id"].as_i64() > first[1]["id"].as_i64());
        let rest = world.get(&format!("jobs/quick/history?limit=2&before={}", first[1]["id"])).await;
        assert_eq!(rest.as_array().unwrap().len(), 1);
    }

    async fn a_job_that_another_node_runs_is_refused_with_the_holder(db: testkit::Database) {
        let world = World::on(db).await;
        let lock = LockConfiguration::new("quick", Duration::from_secs(600), Duration::ZERO).unwrap();
        let held = locks(&world.db, "java-node").try_lock(&lock).await.unwrap().unwrap();
        let answer = world.post("jobs/quick/run").await;
        assert_eq!(answer.code(), (409, "J_002"));
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(held.locked_by()), "{detail}");
        assert_eq!(world.get("jobs").await[0]["lock"]["lockedBy"], held.locked_by());
        let locks = world.get("locks").await;
        assert_eq!(locks[0]["name"], "quick");
        assert_eq!(locks[0]["lockedBy"], held.locked_by());
        assert_eq!(locks[0]["held"], true);
        held.unlock().await.unwrap();
        assert_eq!(world.get("locks").await[0]["held"], false);
        assert_eq!(world.post("jobs/quick/run").await.status, 200);
    }

    async fn a_run_that_takes_long_goes_on_after_its_answer(db: testkit::Database) {
        let world = World::with_timeout(db, Duration::ZERO).await;
        let mut signals = Signals::of(&world.scheduler);
        let answer = world.post("jobs/slow/run").await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.body, json!({"name": "slow", "status": "RUNNING"}));
        world.slow_may_end.notify_one();
        assert_eq!(signals.finished("slow").await.affected, 1);
    }

    async fn a_pause_is_seen_and_ended(db: testkit::Database) {
        let world = World::on(db).await;
        assert_eq!(world.post("jobs/quick/pause").await.status, 204);
        assert_eq!(world.get("jobs").await[0]["paused"], true);
        assert_eq!(world.get("jobs").await[1]["paused"], false);
        assert_eq!(world.post("jobs/quick/run").await.status, 200);
        assert_eq!(world.post("jobs/quick/resume").await.status, 204);
        assert_eq!(world.get("jobs").await[0]["paused"], false);
    }

    async fn the_slots_to_come_are_told_in_order(db: testkit::Database) {
        let world = World::on(db).await;
        let slots = world.get("jobs/quick/upcoming?n=2").await;
        assert_eq!(slots, json!(["2026-11-22T19:00:00Z", "2026-11-23T19:00:00Z"]));
        assert_eq!(world.get("jobs/quick/upcoming").await.as_array().unwrap().len(), 5);
    }

    async fn a_job_that_does_not_exist_is_404_at_every_door(db: testkit::Database) {
        let world = World::on(db).await;
        for door in ["run", "pause", "resume"] {
            assert_eq!(world.post(&format!("jobs/nobody/{door}")).await.code(), (404, "J_001"));
        }
        for door in ["history", "upcoming"] {
            let path = format!("/admin/api/jobs/nobody/{door}");
            let answer = world.ask(Some(&world.operator.token), "GET", &path).await;
            assert_eq!(answer.code(), (404, "J_001"));
        }
    }
}
