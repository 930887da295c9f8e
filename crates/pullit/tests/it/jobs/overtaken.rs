//! Recomputations that meet: one waits for the other's row, and what it then writes is what the ledgers hold by then.
//!
//! On PostgreSQL alone: SQLite has one writer, who sees everything that was committed before.

use std::future::Future;

use chrono::NaiveDate;
use ground::{NoFence, Statements, Transaction};

use super::bench::{Bench, RELAY, TIMEOUT, at};

/// Monday 04:00 in Seoul.
const MONDAY: &str = "2026-11-22T19:00:00Z";

impl Bench {
    async fn with_rows(members: i64) -> Self {
        let bench = Self::on(testkit::Database::postgres().await, MONDAY).await;
        bench.members(1..=members).await;
        bench.rows_that_lie_backwards(members).await;
        bench
    }

    async fn rows_that_lie_backwards(&self, members: i64) {
        self.sql("TRUNCATE learn_stats").await;
        for member in (1..=members).rev() {
            self.streak(member, Some("2026-11-20")).await;
        }
    }

    /// Somebody else's transaction that has this member's row.
    async fn holder(&self, member: i64) -> Transaction {
        let mut holder = self.app.db.begin().await.unwrap();
        let lock = "SELECT 1 FROM learn_stats WHERE member_id = $1 FOR UPDATE";
        holder.run(lock, vec![member.into()]).await.unwrap();
        holder
    }

    async fn somebody_waits(&self) {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()";
        testkit::wait::until("the work waits for a row", TIMEOUT, async || {
            self.number(waiting).await > 0
        })
        .await;
    }

    /// What the member solves is committed while the work waits for the member's row. Nobody is told of it.
    async fn solved_while_it_waits<T>(&self, member: i64, work: impl Future<Output = T>) -> T {
        let holder = self.holder(member).await;
        let meanwhile = async {
            self.somebody_waits().await;
            let mut tx = self.app.db.begin().await.unwrap();
            let today: NaiveDate = "2026-11-23".parse().unwrap();
            let stats = &self.app.rooms.learn_stats;
            stats.count_up(&mut tx, member, today, 7, 1).await.unwrap();
            tx.commit().await.unwrap();
            holder.rollback().await;
        };
        tokio::join!(work, meanwhile).0
    }

    /// The work has come to member 2 and waits there: member 3 is still free.
    async fn free_above_the_second_while_it_waits<T>(&self, work: impl Future<Output = T>) -> T {
        let holder = self.holder(2).await;
        let meanwhile = async {
            self.somebody_waits().await;
            let mut other = self.app.db.write().begin().await.unwrap();
            let free = "SELECT 1 FROM learn_stats WHERE member_id = 3 FOR UPDATE NOWAIT";
            other.run(free, vec![]).await.unwrap();
            other.rollback().await;
            holder.rollback().await;
        };
        tokio::join!(work, meanwhile).0
    }

    pub(crate) async fn publish_reset(&self, member: i64) {
        let payload = serde_json::json!({"version": 1, "memberId": member, "week": "2026-W48"});
        let event = outbox::NewEvent::new("WEEKLY_RESET", format!("member:{member}"), payload);
        let mut tx = self.app.db.begin().await.unwrap();
        let now = (self.app.now)();
        outbox::publish(&mut tx, event, now).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_recalibration_that_waited_writes_what_was_solved_meanwhile() {
    let bench = Bench::with_rows(1).await;
    let run = bench.reset_week(at(MONDAY), false, &NoFence);
    bench.solved_while_it_waits(1, run).await.unwrap();
    let stats = bench.stats().await[0].clone();
    let week = stats.weekly_solved_question_count;
    assert_eq!((stats.total_solved_question_count, week), (7, 7));
    assert_eq!(stats.consecutive_learning_days, 1);
}

#[tokio::test]
async fn an_event_of_a_solved_set_that_waited_writes_what_was_solved_meanwhile() {
    let bench = Bench::with_rows(1).await;
    bench.solved(1, "2026-11-22".parse().unwrap(), 2, 0).await;
    let run = bench.run(RELAY);
    assert_eq!(bench.solved_while_it_waits(1, run).await.affected, 1);
    let stats = bench.stats().await[0].clone();
    let week = stats.weekly_solved_question_count;
    assert_eq!((stats.total_solved_question_count, week), (9, 7));
    assert_eq!(stats.consecutive_learning_days, 2);
}

#[tokio::test]
async fn a_reset_that_waited_keeps_what_was_solved_meanwhile() {
    let bench = Bench::with_rows(1).await;
    bench.publish_reset(1).await;
    let run = bench.run(RELAY);
    assert_eq!(bench.solved_while_it_waits(1, run).await.affected, 1);
    assert_eq!(bench.stats().await[0].weekly_solved_question_count, 7);
}

/// Two that lock the same rows in different orders wait for each other for ever; everybody here locks in the order of the ids.
#[tokio::test]
async fn recalibrations_and_events_lock_the_rows_in_id_order_wherever_they_lie() {
    let bench = Bench::with_rows(3).await;
    for member in [3, 1, 2] {
        bench.publish_reset(member).await;
    }
    let resets = bench.run(RELAY);
    let resets = bench.free_above_the_second_while_it_waits(resets);
    assert_eq!(resets.await.affected, 3);

    bench.rows_that_lie_backwards(3).await;
    let run = bench.reset_week(at(MONDAY), false, &NoFence);
    let run = bench.free_above_the_second_while_it_waits(run);
    assert_eq!(run.await.unwrap(), 3);
    bench.relay().await;

    bench.rows_that_lie_backwards(3).await;
    for member in [3, 1, 2] {
        bench
            .solved(member, "2026-11-23".parse().unwrap(), 1, 0)
            .await;
    }
    let solved = bench.run(RELAY);
    let solved = bench.free_above_the_second_while_it_waits(solved);
    assert_eq!(solved.await.affected, 3);

    bench.rows_that_lie_backwards(3).await;
    let check = bench.check_streaks(at(MONDAY), false, &NoFence);
    let check = bench.free_above_the_second_while_it_waits(check);
    assert_eq!(check.await.unwrap(), 3);
}
