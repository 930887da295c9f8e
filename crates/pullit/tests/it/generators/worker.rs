//! How the worker deals with a generator that panics, or wants to be left alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ground::TraceParent;
use pullit::platform::config::{Config, Span};
use question_maker::{
    GeneratedQuestion, GenerationError, GenerationRequest, OfflineGenerator, QuestionGenerator,
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::jobs::bench::{Bench, RETRY, TIMEOUT, at, literal};
use crate::jobs::rows::Set;
use crate::support::files::ENGLISH;

/// Does something else the first time.
struct First {
    times: AtomicUsize,
    act: fn() -> GenerationError,
}

impl First {
    fn time(act: fn() -> GenerationError) -> Arc<Self> {
        Arc::new(Self {
            times: AtomicUsize::new(0),
            act,
        })
    }
}

#[async_trait]
impl QuestionGenerator for First {
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        if self.times.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err((self.act)());
        }
        OfflineGenerator.generate(request, cancel).await
    }
}

/// Never answers, whatever it is told, and notes when it is asked and when it is given up.
#[derive(Default)]
struct Hung {
    asked: Notify,
    dropped: Arc<Notify>,
}

impl Hung {
    async fn is_asked(&self) {
        let asked = tokio::time::timeout(TIMEOUT, self.asked.notified()).await;
        asked.expect("the generator is not asked");
    }

    async fn is_given_up(&self) {
        let dropped = tokio::time::timeout(TIMEOUT, self.dropped.notified()).await;
        dropped.expect("the generator still runs");
    }
}

/// Tells of its own end.
struct Alive(Arc<Notify>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[async_trait]
impl QuestionGenerator for Hung {
    async fn generate(
        &self,
        _: &GenerationRequest,
        _: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        let _alive = Alive(Arc::clone(&self.dropped));
        self.asked.notify_one();
        std::future::pending().await
    }
}

/// Counts how often it is asked, and answers when it is let.
struct Gated {
    asked: AtomicUsize,
    open: Semaphore,
}

impl Default for Gated {
    fn default() -> Self {
        Self {
            asked: AtomicUsize::new(0),
            open: Semaphore::new(0),
        }
    }
}

#[async_trait]
impl QuestionGenerator for Gated {
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let _permit = self.open.acquire().await;
        OfflineGenerator.generate(request, cancel).await
    }
}

/// Notes the traces that it is asked in.
#[derive(Default)]
struct Tracing(Mutex<Vec<Option<String>>>);

#[async_trait]
impl QuestionGenerator for Tracing {
    async fn generate(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
    ) -> Result<Vec<GeneratedQuestion>, GenerationError> {
        let trace = ground::trace::current().map(|trace| trace.trace_id());
        self.0.lock().unwrap().push(trace);
        OfflineGenerator.generate(request, cancel).await
    }
}

/// Sets that have been asked for and wait for a worker.
async fn waiting(bench: &Bench, sets: impl IntoIterator<Item = i64>) {
    bench.members(1..=1).await;
    bench.source(5, 1, ENGLISH).await;
    for set in sets {
        let failed = Set {
            status: "FAILED",
            ..Set::default()
        };
        bench.set(set, failed).await;
        bench.link(set, 5).await;
        bench.run(RETRY).await;
    }
    bench.relay().await;
}

testkit::on_each_database! {
    async fn a_generator_that_panics_fails_its_attempt_and_takes_nothing_down(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        waiting(&bench, [10, 11]).await;
        let generator = First::time(|| panic!("as the test wants it"));
        let one_at_a_time = |config: &mut Config| config.worker.concurrency = 1;
        let node = bench.generating(Some(generator.clone()), one_at_a_time).await;
        node.work().await;
        let row = bench.row(10).await;
        assert_eq!(
            (row.status.as_str(), row.retryable, row.failure_reason.as_deref()),
            ("FAILED", true, Some("GENERATOR_PANICKED"))
        );
        assert_eq!(bench.row(11).await.status, "COMPLETE");
        assert_eq!(generator.times.load(Ordering::Relaxed), 2);
    }

    async fn a_generation_and_what_it_tells_belong_to_the_trace_that_asked_for_it(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        bench.members(1..=1).await;
        bench.source(5, 1, ENGLISH).await;
        bench.set(10, Set { status: "FAILED", ..Set::default() }).await;
        bench.link(10, 5).await;
        bench.run(RETRY).await;
        let trace = async || {
            let traces = bench.texts("SELECT traceparent FROM outbox_event").await;
            assert_eq!(traces.len(), 1);
            traces[0].parse::<TraceParent>().unwrap().trace_id()
        };
        let asked = trace().await;
        bench.relay().await;
        let generator = Arc::new(Tracing::default());
        bench.generating(Some(generator.clone()), |_| {}).await.work().await;
        assert_eq!(*generator.0.lock().unwrap(), [Some(asked.clone())]);
        assert_eq!(trace().await, asked, "that of the event for the owner");
    }

    async fn a_generator_that_hangs_is_left_when_its_time_is_up(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        waiting(&bench, [10]).await;
        let hung = Arc::new(Hung::default());
        let in_short = |config: &mut Config| config.worker.timeout = Span::seconds(1);
        bench.generating(Some(hung.clone()), in_short).await.work().await;
        hung.is_given_up().await;
        let row = bench.row(10).await;
        assert_eq!(
            (row.status.as_str(), row.retryable, row.failure_reason.as_deref()),
            ("FAILED", true, Some("GENERATION_TIMEOUT"))
        );
    }

    async fn a_worker_whose_work_was_taken_over_stops_and_stores_nothing(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        waiting(&bench, [10]).await;
        let hung = Arc::new(Hung::default());
        let quick = |config: &mut Config| config.worker.lease = "600ms".parse().unwrap();
        let first = bench.generating(Some(hung.clone()), quick).await;
        first
            .work_until("the work is taken over", async || {
                hung.is_asked().await;
                let row = bench.row(10).await;
                let taken = "UPDATE work_item SET leased_by = 'another node', deliveries = deliveries + 1";
                bench.sql(taken).await;
                hung.is_given_up().await;
                assert_eq!(bench.row(10).await, row);
                let theirs = "SELECT count(*) FROM work_item WHERE leased_by = 'another node' AND deliveries = 2";
                assert_eq!(bench.number(theirs).await, 1, "nor is it given back");
                true
            })
            .await;
    }

    async fn a_worker_whose_turn_was_taken_over_stops_and_leaves_it_to_the_other(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        waiting(&bench, [10]).await;
        let hung = Arc::new(Hung::default());
        let quick = |config: &mut Config| config.worker.lease = "600ms".parse().unwrap();
        let first = bench.generating(Some(hung.clone()), quick).await;
        first
            .work_until("the turn is taken over", async || {
                hung.is_asked().await;
                let row = bench.row(10).await;
                bench.sql("UPDATE generation_turn SET holder = 'another worker'").await;
                hung.is_given_up().await;
                assert_eq!(bench.row(10).await, row);
                true
            })
            .await;
        let theirs = "SELECT count(*) FROM generation_turn WHERE holder = 'another worker'";
        assert_eq!(bench.number(theirs).await, 1);
    }

    async fn a_request_that_is_delivered_twice_at_once_is_worked_on_once(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        waiting(&bench, [10]).await;
        let repeat = "INSERT INTO work_item (queue, event_id, payload, available_at, created_at) \
            SELECT queue, '0190a6d4-0000-7000-8000-000000000001', payload, available_at, created_at FROM work_item";
        bench.sql(repeat).await;
        let slow = Arc::new(Gated::default());
        let node = bench.generating(Some(slow.clone()), |_| {}).await;
        node.work_until("one of the two is put off, and the set is made", async || {
            let put_off = "SELECT count(*) FROM work_item WHERE available_at > created_at";
            if slow.asked.load(Ordering::Relaxed) == 1 && bench.number(put_off).await == 1 {
                slow.open.add_permits(1);
            }
            bench.row(10).await.status == "COMPLETE"
        })
        .await;
        bench.clock.advance(TimeDelta::minutes(1));
        node.work().await;
        assert_eq!(slow.asked.load(Ordering::Relaxed), 1);
        assert_eq!(bench.number("SELECT count(*) FROM generation_turn").await, 0);
    }

    async fn a_turn_whose_holder_died_is_taken_over_and_a_living_one_is_not(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        waiting(&bench, [10]).await;
        let end = literal(at("2026-11-22T09:01:00Z"));
        bench.sql(&format!("INSERT INTO generation_turn VALUES (10, 1, 'another', {end})")).await;
        let open = Arc::new(Gated::default());
        open.open.add_permits(1);
        let node = bench.generating(Some(open.clone()), |_| {}).await;
        node.work_until("the work is put off", async || {
            bench.number("SELECT count(*) FROM work_item WHERE available_at > created_at").await == 1
        })
        .await;
        assert_eq!(open.asked.load(Ordering::Relaxed), 0);
        bench.clock.advance(TimeDelta::minutes(1));
        node.work().await;
        assert_eq!((bench.row(10).await.status.as_str(), open.asked.load(Ordering::Relaxed)), ("COMPLETE", 1));
    }

    async fn what_is_put_off_stays_pending_uses_up_no_attempt_and_goes_on_later(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T09:00:00Z").await;
        waiting(&bench, [10]).await;
        let before = bench.row(10).await;
        let generator = First::time(|| GenerationError::PutOff {
            after: Duration::from_millis(700),
        });
        let node = bench.generating(Some(generator.clone()), |_| {}).await;
        node.work_until("the work is given back", async || {
            generator.times.load(Ordering::Relaxed) == 1
                && bench.number("SELECT count(*) FROM work_item WHERE leased_by IS NULL AND deliveries = 0").await == 1
        })
        .await;
        assert_eq!(bench.row(10).await, before);
        let due = "SELECT count(*) FROM work_item WHERE available_at <= ";
        let [early, then] = [".699Z", ".700Z"].map(|end| literal(at(&format!("2026-11-22T09:00:00{end}"))));
        assert_eq!(bench.number(&format!("{due}{early}")).await, 0);
        assert_eq!(bench.number(&format!("{due}{then}")).await, 1);
        bench.relay().await;
        assert_eq!(bench.told().await.len(), 0, "nobody is told");

        bench.clock.advance(TimeDelta::seconds(1));
        node.work().await;
        assert_eq!(generator.times.load(Ordering::Relaxed), 2);
        let after = bench.row(10).await;
        assert_eq!((after.status.as_str(), after.retry_count), ("COMPLETE", before.retry_count));
    }
}

/// PostgreSQL alone: a sequence counts the failures of transactions that are rolled back.
#[tokio::test]
async fn questions_that_cannot_be_stored_at_once_are_stored_again_and_not_made_again() {
    let bench = Bench::on(testkit::Database::postgres().await, "2026-11-22T09:00:00Z").await;
    waiting(&bench, [10]).await;
    bench
        .sql(
            "CREATE SEQUENCE stored; \
             CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF nextval('stored') = 1 THEN RAISE EXCEPTION 'not yet'; END IF; RETURN NULL; END $$; \
             CREATE TRIGGER fail_once AFTER INSERT ON question FOR EACH STATEMENT EXECUTE FUNCTION fail_once()",
        )
        .await;
    let generator = First::time(|| unreachable!());
    generator.times.store(1, Ordering::Relaxed);
    let node = bench.generating(Some(generator.clone()), |_| {}).await;
    node.work().await;
    assert_eq!(bench.row(10).await.status, "COMPLETE");
    assert_eq!(generator.times.load(Ordering::Relaxed), 2, "made once");
    assert_eq!(bench.number("SELECT last_value FROM stored").await, 2);
}
