//! The operator's hand.

use std::time::Duration;

use chrono::TimeDelta;
use scheduler::testkit::Signals;
use scheduler::{Cause, Job, Misfire, Passed, Record, RunNowError, RunStatus, Scope, Trigger};

use crate::support::*;

testkit::on_each_database! {
    async fn a_paused_job_passes_its_slots_and_still_runs_by_hand_until_it_is_resumed(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job").misfire(Misfire::RunOnce))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        // Another process pauses it.
        let cli = world.node("cli", [quick(daily("job").misfire(Misfire::RunOnce))]).await;
        cli.pause("job").await.unwrap();
        assert!(node.list().await.unwrap()[0].paused);
        world.clock.set(four());
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), Passed::Paused));
        assert_eq!(cli.run_now("job").await.unwrap().cause, Cause::Manual);

        misfires_checked(&mut signals).await;
        world.clock.advance(TimeDelta::hours(1));
        misfires_checked(&mut signals).await;
        cli.resume("job").await.unwrap();
        world.clock.advance(TimeDelta::seconds(15));
        misfires_checked(&mut signals).await;
        world.clock.set(four() + TimeDelta::days(1));
        let run = signals.finished("job").await;
        assert_eq!((run.cause, run.scheduled_at), (Cause::Schedule, four() + TimeDelta::days(1)));
        assert_eq!(world.runs("job").await.len(), 2);
    }

    async fn a_run_by_hand_names_the_holder_of_the_lock_in_its_way(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let node = world.node("a", [gate.job(daily("job"))]).await;
        let first = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await } });
        gate.entered().await;
        let cli = world.node("cli", [quick(daily("job"))]).await;
        match cli.run_now("job").await {
            Err(RunNowError::Locked { holder, .. }) => assert!(holder.starts_with("a:"), "{holder}"),
            other => panic!("{other:?}"),
        }
        gate.open();
        first.await.unwrap().unwrap();
        assert!(matches!(cli.run_now("no-such-job").await, Err(RunNowError::UnknownJob(_))));
    }

    async fn a_run_by_hand_starts_within_the_minimum_hold_of_our_own_run_and_restores_its_end(db: testkit::Database) {
        let world = World::new(db).await;
        let long = world.node("a", [quick(daily("job").at_least(Duration::from_secs(36_000)))]).await;
        long.run_now("job").await.unwrap();
        let tail = world.locks(&world.db, "x").lock_info("job").await.unwrap().unwrap();
        assert!(tail.held);
        let short = world.node("b", [quick(daily("job"))]).await;
        assert!(succeeded(&short.run_now("job").await.unwrap()));
        let after = world.locks(&world.db, "x").lock_info("job").await.unwrap().unwrap();
        assert!(after.held && after.lock_until == tail.lock_until, "{after:?} {tail:?}");
        assert_ne!(after.locked_by, tail.locked_by);
    }

    async fn a_foreign_minimum_hold_keeps_a_run_by_hand_out(db: testkit::Database) {
        let world = World::new(db).await;
        world.lock_row("job", "java", at("2026-01-01T00:00:00Z"), far()).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        match node.run_now("job").await {
            Err(RunNowError::Locked { holder, until, .. }) => assert_eq!((holder.as_str(), until), ("java", far())),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.runs("job").await, []);
    }

    async fn the_list_shows_trigger_zone_next_and_last_run_and_who_holds_the_lock(db: testkit::Database) {
        let world = World::new(db).await;
        let heartbeat = Job::builder("heartbeat", Trigger::fixed_rate(Duration::from_secs(3)).unwrap()).scope(Scope::Node).record(Record::FailuresAndManual);
        let gate = Gate::new();
        let node = world.node("a", [gate.job(daily("job")), quick(heartbeat), quick(daily("off").enabled(false))]).await;
        gate.open();
        node.run_now("job").await.unwrap();
        gate.entered().await;
        let list = node.list().await.unwrap();
        assert_eq!(list.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["job", "heartbeat", "off"]);
        let json = serde_json::to_value(&list[0]).unwrap();
        assert_eq!(json["trigger"], "cron 0 0 4 * * *");
        assert_eq!(json["zone"], "Asia/Seoul");
        assert_eq!(json["scope"], "cluster");
        assert_eq!(json["nextRun"], "2026-11-22T19:00:00Z");
        assert_eq!(json["lastRun"]["status"], "SUCCEEDED");
        assert_eq!(json["lastRun"]["scheduledAt"], "2026-11-22T18:50:00Z");
        assert_eq!(json["lastRun"]["affected"], 7);
        assert_eq!(json["lock"], serde_json::Value::Null);
        assert_eq!((list[1].trigger.as_str(), list[1].zone.as_deref()), ("every 3s", None));
        assert_eq!(list[2].next_run, None);

        let running = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await } });
        gate.entered().await;
        let status = node.list().await.unwrap().remove(0);
        assert!(status.lock.unwrap().locked_by.starts_with("a:"));
        assert_eq!(status.last_run.unwrap().status, RunStatus::Running);
        gate.open();
        running.await.unwrap().unwrap();
    }

    async fn a_node_starts_only_the_jobs_of_its_roles_and_a_disabled_one_nowhere(db: testkit::Database) {
        let world = World::new(db).await;
        let jobs = [quick(daily("mine")), quick(daily("others")), quick(daily("off").enabled(false))];
        let node = world.node("a", jobs).await;
        let mut signals = Signals::of(&node);
        let running = node.start_only(|name| name != "others").await.unwrap();
        world.clock.set(four());
        signals.finished("mine").await;
        running.stop(Duration::from_secs(20)).await;
        for idle in ["others", "off"] {
            assert_eq!(world.runs(idle).await, []);
        }
        assert_eq!(world.query("SELECT name FROM job").await.len(), 1);
    }

    async fn history_is_paged_by_id_and_pruned_in_batches_except_for_the_newest_run(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        for _ in 0..5 {
            node.run_now("job").await.unwrap();
            world.clock.advance(TimeDelta::days(1));
        }
        let newest = node.history("job", 2, None).await.unwrap();
        let older = node.history("job", 10, Some(newest[1].id)).await.unwrap();
        assert_eq!((newest.len(), older.len()), (2, 3));
        assert!(newest[0].id > newest[1].id && newest[1].id > older[0].id);

        let all = world.clock_now() + TimeDelta::days(1);
        assert_eq!(node.prune_history(all, 3).await.unwrap(), 3);
        assert_eq!(node.prune_history(all, 3).await.unwrap(), 1);
        assert_eq!(node.prune_history(all, 3).await.unwrap(), 0);
        assert_eq!(node.history("job", 10, None).await.unwrap(), newest[..1]);
    }
}

impl World {
    fn clock_now(&self) -> chrono::DateTime<chrono::Utc> {
        scheduler::Clock::now(&self.clock)
    }
}
