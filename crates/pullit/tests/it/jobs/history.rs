//! Random histories: whatever happens in whatever order, in the end the stats are what was really done.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use pullit::server::Running;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::FromQueryResult;
use serde_json::{Value, json};
use testkit::http::Client;

use super::bench::{Bench, STREAKS, WEEKLY};
use super::deliveries::client;
use super::rows::Set;

const MEMBERS: i64 = 3;
/// Sets of each member, and questions of each set.
const SETS: i64 = 2;
const QUESTIONS: i64 = 3;
const STEPS: usize = 40;

/// One row of `learn_stats`.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromQueryResult)]
struct Stats {
    member_id: i64,
    total_solved_question_set_count: i64,
    total_solved_question_count: i64,
    total_correct_question_count: i64,
    total_question_count: i64,
    weekly_solved_question_count: i64,
    consecutive_learning_days: i64,
    last_learning_date: Option<NaiveDate>,
}

/// What a member did on one day.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    questions: i64,
    sets: i64,
    correct: i64,
}

/// What was really done, kept as simply as it can be.
#[derive(Default)]
struct Truth {
    days: BTreeMap<(i64, NaiveDate), Done>,
    deleted: BTreeSet<i64>,
}

impl Truth {
    fn stats(&self, member: i64, today: NaiveDate) -> Stats {
        let days: BTreeMap<NaiveDate, Done> = self
            .days
            .iter()
            .filter(|((of, _), _)| *of == member)
            .map(|((_, day), done)| (*day, *done))
            .collect();
        let monday = today - Days::new(today.weekday().num_days_from_monday().into());
        let last = days.keys().next_back().copied();
        let mut streak = 0;
        if let Some(last) = last.filter(|last| *last >= today - Days::new(1)) {
            while days.contains_key(&(last - Days::new(streak))) {
                streak += 1;
            }
        }
        let living = sets_of(member).filter(|set| !self.deleted.contains(set));
        Stats {
            member_id: member,
            total_solved_question_set_count: days.values().map(|done| done.sets).sum(),
            total_solved_question_count: days.values().map(|done| done.questions).sum(),
            total_correct_question_count: days.values().map(|done| done.correct).sum(),
            total_question_count: living.count() as i64 * QUESTIONS,
            weekly_solved_question_count: days
                .range(monday..)
                .map(|(_, done)| done.questions)
                .sum(),
            consecutive_learning_days: streak as i64,
            last_learning_date: last,
        }
    }
}

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
            .filter(|set| !self.truth.deleted.contains(set))
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
        let day = self.truth.days.entry((member, self.today())).or_default();
        day.questions += marked;
        day.sets += i64::from(marked == QUESTIONS);
        day.correct += correct;
    }

    /// A member deletes a set.
    async fn delete(&mut self) {
        let member = self.dice.random_range(1..=MEMBERS);
        let Some(set) = sets_of(member).find(|set| !self.truth.deleted.contains(set)) else {
            return;
        };
        self.http
            .dev_login(&format!("member{member}@example.com"))
            .await;
        self.http
            .delete(&format!("/api/question-set/{set}"))
            .await
            .expect(200);
        self.truth.deleted.insert(set);
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

    async fn stats(&self) -> Vec<Stats> {
        self.bench
            .rows(
                "SELECT member_id, total_solved_question_set_count, total_solved_question_count, \
                 total_correct_question_count, total_question_count, weekly_solved_question_count, \
                 consecutive_learning_days, last_learning_date FROM learn_stats ORDER BY member_id",
            )
            .await
    }

    fn expected(&self) -> Vec<Stats> {
        let today = self.today();
        (1..=MEMBERS)
            .map(|member| self.truth.stats(member, today))
            .collect()
    }
}

async fn live(db: testkit::Database, seed: u64) {
    let bench = Bench::with(db, "2026-12-20T01:00:00Z", |config| {
        config.limits.member_batch = 2;
        config.limits.outbox_batch = 3;
    })
    .await;
    prepare(&bench).await;
    let running = bench.listen().await;
    let mut history = History {
        http: client(&running),
        dice: StdRng::seed_from_u64(seed),
        truth: Truth::default(),
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
    let projected: Vec<_> = history.stats().await.into_iter().map(ledger).collect();
    let expected = history.expected().into_iter().map(ledger);
    for expected in expected.filter(|stats| stats.last_learning_date.is_some()) {
        assert!(
            projected.contains(&expected),
            "seed {seed}: {expected:?} is not in {projected:?}"
        );
    }
    // All of it, after a recalibration; and the resets that it published change nothing.
    history.bench.run(WEEKLY).await;
    assert_eq!(history.stats().await, history.expected(), "seed {seed}");
    history.bench.relay().await;
    assert_eq!(
        history.stats().await,
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
        streaks(history.stats().await),
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
