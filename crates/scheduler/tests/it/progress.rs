//! How far a run has come, as other processes see it.

use chrono::TimeDelta;
use scheduler::testkit::Signals;
use scheduler::{Event, JobContext, Progress, Scheduler};

use crate::support::*;

async fn reported(signals: &mut Signals) -> Progress {
    signals
        .next("progress that was written", |event| match event {
            Event::Progressed { progress, .. } => Some(progress),
            _ => None,
        })
        .await
}

async fn listed(node: &Scheduler) -> Option<Progress> {
    node.list().await.unwrap().remove(0).progress
}

fn of_ten(done: u64) -> Progress {
    Progress { done, total: 10 }
}

testkit::on_each_database! {
    async fn another_process_sees_how_far_a_run_has_come_once_a_second_while_it_runs(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let (inside, mut contexts) = tokio::sync::mpsc::unbounded_channel::<JobContext>();
        let opened = gate.clone();
        let job = daily("job").run(move |context| {
            let (inside, gate) = (inside.clone(), opened.clone());
            async move { inside.send(context).unwrap(); gate.opened().await; Ok(7) }
        });
        let node = world.node("a", [job]).await;
        let cli = world.node("cli", [quick(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        let run = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await.unwrap() } });
        let context = contexts.recv().await.unwrap();
        assert_eq!(listed(&cli).await, None);

        context.progress(1, 10);
        assert_eq!(reported(&mut signals).await, of_ten(1));
        assert_eq!(listed(&cli).await, Some(of_ten(1)));
        for done in 2..=5 { context.progress(done, 10); }
        assert_eq!((listed(&node).await, listed(&cli).await), (Some(of_ten(5)), Some(of_ten(1))), "a second is not over");
        world.clock.advance(TimeDelta::seconds(1));
        assert_eq!(reported(&mut signals).await, of_ten(5));
        assert_eq!(listed(&cli).await, Some(of_ten(5)));

        gate.open();
        assert!(succeeded(&run.await.unwrap()));
        assert_eq!((listed(&node).await, listed(&cli).await), (None, None));
        assert!(world.query("SELECT run_id FROM job_progress").await.is_empty());
    }

    async fn what_a_dead_run_reported_is_not_shown_and_is_pruned(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        world.run_row("job", four(), "RUNNING", None).await;
        world.lock_row("job", "java", four(), far()).await;
        world.execute("INSERT INTO job_progress (run_id, done, total, updated_at) SELECT id, 3, 10, started_at FROM job_run", []).await;
        assert_eq!(listed(&node).await, Some(Progress { done: 3, total: 10 }));
        world.lapse("job").await;
        assert_eq!(listed(&node).await, None, "the list marks it ABANDONED");
        node.prune_history(four() - TimeDelta::days(1), 100).await.unwrap();
        assert!(world.query("SELECT run_id FROM job_progress").await.is_empty());
    }
}
