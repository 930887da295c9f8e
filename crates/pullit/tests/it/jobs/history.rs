//! Random histories: whatever happens in whatever order, in the end the stats are what was really done.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use pullit::server::Running;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use testkit::http::Client;

use super::bench::{Bench, STREAKS, WEEKLY};
use super::deliveries::client;
use super::rows::Set;
use super::truth::{Stats, Truth};

const MEMBERS: i64 = 3;
/// Sets of each member, and questions of each set.
const SETS: i64 = 2;
const QUESTIONS: i64 = 3;
const STEPS: usize = 40;

fn sets_of(member: i64) -> impl Iterator<Item = i64> {
    (0..SETS).map(move |n| member * 10 + n)
}

fn question_ids(set: i64) -> impl Iterator<Item = i64> {
    (0..QUESTIONS).map(move |n| set * 10 + n)
}

/// The members, who sign in as themselves, with COMPLETE sets whose answers are all `true`.
async fn prepare(bench: &Bench) {
    bench.members(1..=MEMBERS).await;
    for set in (1..=MEMBERS).flat_map(sets_of) {
        let status = "COMPLETE";
        bench
            .set(
                set,
                Set {
                    owner: set / 10,
                    status,
                    ..Set::default()
                },
            )
            .await;
        for (position, question) in question_ids(set).enumerate() {
            bench
                .sql(&format!(
                    "INSERT INTO question (id, question_set_id, position, question_type, question_text, answer, explanation) \
                     VALUES ({question}, {set}, {}, 'TRUE_FALSE', 'q', 'true', 'e')",
                    position + 1
                ))
                .await;
        }
    }
}

/// A history that a seed decides, with all that it needs.
struct History {
    bench: Bench,
    http: Client,
    dice: StdRng,
    truth: Truth,
    deleted: BTreeSet<i64>,
    running: Running,
}

impl History {
    fn now(&self) -> DateTime<Utc> {
        (self.bench.app.now)()
    }

    fn today(&self) -> NaiveDate {
        self.now().with_timezone(&Seoul).date_naive()
    }

    /// A member marks some answers, through the port.
    async fn solve(&mut self) {
        let member = self.dice.random_range(1..=MEMBERS);
        let living: Vec<i64> = sets_of(member)
            .filter(|set| !self.deleted.contains(set))
            .collect();
        if living.is_empty() {
            return;
        }
        let set = living[self.dice.random_range(0..living.len())];
        let marked = self.dice.random_range(1..=QUESTIONS);
        let mut correct = 0;
        let answers: Vec<Value> = question_ids(set)
            .take(marked as usize)
            .map(|id| {
                let right = self.dice.random_bool(0.6);
                correct += i64::from(right);
                json!({"questionId": id, "memberAnswer": right, "memberAnswerType": "boolean"})
            })
            .collect();
        self.http
            .dev_login(&format!("member{member}@example.com"))
            .await;
        let answer = self.http.post("/api/marking", &Value::Array(answers)).await;
        assert_eq!(answer.expect(200)["correctCount"], correct);
        let day = self.truth.0.entry((member, self.today())).or_default();
        day.questions += marked;
        day.sets += i64::from(marked == QUESTIONS);
        day.correct += correct;
    }

    /// A member deletes a set.
    async fn delete(&mut self) {
        let member = self.dice.random_range(1..=MEMBERS);
        let Some(set) = sets_of(member).find(|set| !self.deleted.contains(set)) else {
            return;
        };
        self.http
            .dev_login(&format!("member{member}@example.com"))
            .await;
        self.http
            .delete(&format!("/api/question-set/{set}"))
            .await
            .expect(200);
        self.deleted.insert(set);
    }

    async fn step(&mut self) {
        match self.dice.random_range(0..100) {
            0..45 => self.solve().await,
            45..65 => {
                let minutes = self.dice.random_range(1..60 * 30);
                self.bench.clock.advance(TimeDelta::minutes(minutes));
            }
            65..80 => {
                self.bench.relay().await;
            }
            80..88 => {
                self.bench.run(WEEKLY).await;
            }
            88..97 => {
                self.bench.run(STREAKS).await;
            }
            _ => self.delete().await,
        }
    }

    fn expected(&self) -> Vec<Stats> {
        let today = self.today();
        (1..=MEMBERS)
            .map(|member| {
                let living = sets_of(member).filter(|set| !self.deleted.contains(set));
                let questions = living.count() as i64 * QUESTIONS;
                self.truth.stats(member, today, questions)
            })
            .collect()
    }
}

async fn live(db: testkit::Database, seed: u64) {
    let bench = Bench::with(db, "2026-12-20T01:00:00Z", |config| {
        config.learn_stats.member_batch = 2;
        config.outbox.batch = 3;
    })
    .await;
    prepare(&bench).await;
    let running = bench.listen().await;
    let mut history = History {
        http: client(&running),
        dice: StdRng::seed_from_u64(seed),
        truth: Truth::default(),
        deleted: BTreeSet::new(),
        running,
        bench,
    };
    for _ in 0..STEPS {
        history.step().await;
    }
    // What is under way settles: of what was solved, in the projection of the events alone.
    history.bench.relay().await;
    let ledger = |stats: Stats| Stats {
        total_question_count: 0,
        weekly_solved_question_count: 0,
        consecutive_learning_days: 0,
        ..stats
    };
    let projected: Vec<_> = history
        .bench
        .stats()
        .await
        .into_iter()
        .map(ledger)
        .collect();
    let expected = history.expected().into_iter().map(ledger);
    for expected in expected.filter(|stats| stats.last_learning_date.is_some()) {
        assert!(
            projected.contains(&expected),
            "seed {seed}: {expected:?} is not in {projected:?}"
        );
    }
    // All of it, after a recalibration; and the resets that it published change nothing.
    history.bench.run(WEEKLY).await;
    assert_eq!(
        history.bench.stats().await,
        history.expected(),
        "seed {seed}"
    );
    history.bench.relay().await;
    assert_eq!(
        history.bench.stats().await,
        history.expected(),
        "seed {seed}, after the resets"
    );
    // The last day's truth outlives a midnight.
    history.bench.clock.advance(TimeDelta::days(1));
    history.bench.run(STREAKS).await;
    let streaks = |stats: Vec<Stats>| -> Vec<i64> {
        stats
            .iter()
            .map(|stats| stats.consecutive_learning_days)
            .collect()
    };
    assert_eq!(
        streaks(history.bench.stats().await),
        streaks(history.expected()),
        "seed {seed}, a day later"
    );
    history.running.stop().await;
}

testkit::on_each_database! {
    async fn random_histories_end_in_what_was_really_done_one(db: testkit::Database) {
        live(db, 1).await;
    }

    async fn random_histories_end_in_what_was_really_done_two(db: testkit::Database) {
        live(db, 2).await;
    }

    async fn random_histories_end_in_what_was_really_done_three(db: testkit::Database) {
        live(db, 3).await;
    }
}
