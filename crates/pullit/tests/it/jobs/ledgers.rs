//! Many short random histories, straight on the ledgers: days, zones, late and repeated events, runs that die between two pages.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::{America, Asia, Pacific, Tz};
use ground::{Connection, NoFence, Statements};
use pullit::learn_stats::Solved;
use pullit::platform::run::RunError;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::bench::{Bench, RELAY, STREAKS, WEEKLY, literal};
use super::rows::Set;
use super::truth::{Stats, Truth};
use super::walks::DiesAfter;

const MEMBERS: i64 = 5;
const QUESTIONS: i64 = 3;
const STEPS: usize = 60;
const HISTORIES: u64 = 6;

/// A run that died, and may be gone on with.
#[derive(Clone, Copy, Debug)]
struct Died {
    weekly: bool,
    slot: DateTime<Utc>,
}

struct History {
    bench: Bench,
    zone: Tz,
    dice: StdRng,
    truth: Truth,
    /// Questions of each member's living sets.
    questions: [i64; MEMBERS as usize],
    died: Option<Died>,
    events: u64,
}

impl History {
    fn now(&self) -> DateTime<Utc> {
        (self.bench.app.now)()
    }

    fn today(&self) -> NaiveDate {
        self.now().with_timezone(&self.zone).date_naive()
    }

    fn member(&mut self) -> i64 {
        self.dice.random_range(1..=MEMBERS)
    }

    async fn publish(&mut self, tx: &mut Connection<'_>, event: outbox::NewEvent) {
        outbox::publish(tx, event, self.now()).await.unwrap();
        self.events += 1;
    }

    /// What a marking writes. One that began before midnight and commits after it is of the day before.
    async fn solve(&mut self) {
        let member = self.member();
        let day = self.today() - Days::new(u64::from(self.dice.random_bool(0.15)));
        let questions = self.dice.random_range(1..=QUESTIONS);
        let correct = self.dice.random_range(0..=questions);
        let sets = i64::from(questions == QUESTIONS);
        let results: Vec<String> = (0..questions)
            .map(|n| format!("({member}, {}, {})", member * 10 + n, n < correct))
            .collect();
        let mut tx = self.bench.app.db.begin().await.unwrap();
        let insert = format!(
            "INSERT INTO marking_result (member_id, question_id, is_correct) VALUES {}",
            results.join(", ")
        );
        tx.script(&insert).await.unwrap();
        let stats = self.bench.app.rooms.learn_stats.clone();
        stats
            .count_up(&mut tx, member, day, questions, sets)
            .await
            .unwrap();
        self.publish(&mut tx, solved(member, day)).await;
        tx.commit().await.unwrap();
        let done = self.truth.0.entry((member, day)).or_default();
        done.questions += questions;
        done.correct += correct;
        done.sets += sets;
    }

    /// An event that was delivered long ago comes again, or one of last year comes at last.
    async fn repeat(&mut self) {
        let member = self.member();
        let mut tx = self.bench.app.db.begin().await.unwrap();
        let event = if self.dice.random_bool(0.5) {
            solved(member, self.today() - Days::new(400))
        } else {
            let payload = serde_json::json!({"version": 1, "memberId": member, "week": "2025-W52"});
            outbox::NewEvent::new("WEEKLY_RESET", format!("member:{member}"), payload)
        };
        self.publish(&mut tx, event).await;
        tx.commit().await.unwrap();
    }

    /// A set with three questions is finished, or thrown away.
    async fn own(&mut self) {
        let member = self.member();
        let place = member as usize - 1;
        if self.questions[place] == 0 {
            self.bench
                .sql(&format!(
                    "UPDATE question_set SET deleted_at = NULL WHERE owner_id = {member}"
                ))
                .await;
            self.questions[place] = QUESTIONS;
        } else {
            let now = literal(self.now());
            self.bench
                .sql(&format!(
                    "UPDATE question_set SET deleted_at = {now} WHERE owner_id = {member}"
                ))
                .await;
            self.questions[place] = 0;
        }
    }

    /// Some minutes, a night, a long absence, or to the second before or after a midnight.
    fn time_passes(&mut self) {
        let now = self.now();
        let to = match self.dice.random_range(0..10) {
            0..5 => now + TimeDelta::minutes(self.dice.random_range(1..60 * 20)),
            5..7 => now + TimeDelta::days(1),
            7 => now + TimeDelta::days(self.dice.random_range(2..12)),
            _ => {
                let midnight = (self.today() + Days::new(1)).and_time(chrono::NaiveTime::MIN);
                let midnight = self.zone.from_local_datetime(&midnight).earliest();
                let second = TimeDelta::seconds(self.dice.random_range(-1..=1));
                midnight.map_or(now, |midnight| midnight.to_utc() + second)
            }
        };
        self.bench.clock.set(to.max(now));
    }

    async fn run(&mut self, run: Died, again: bool, dies: bool) {
        let pages = self.dice.random_range(0..4);
        let ended = match (run.weekly, dies) {
            (true, true) => {
                let fence = DiesAfter::pages(pages);
                self.bench.reset_week(run.slot, again, &fence).await
            }
            (false, true) => {
                let fence = DiesAfter::pages(pages);
                self.bench.check_streaks(run.slot, again, &fence).await
            }
            (true, false) => self.bench.reset_week(run.slot, again, &NoFence).await,
            (false, false) => self.bench.check_streaks(run.slot, again, &NoFence).await,
        };
        self.died = match ended {
            Ok(_) => None,
            Err(RunError::Lost) => Some(run),
            Err(error) => panic!("{error}"),
        };
    }

    async fn step(&mut self) {
        match self.dice.random_range(0..100) {
            0..40 => self.solve().await,
            40..58 => self.time_passes(),
            58..66 => {
                self.bench.relay().await;
            }
            66..74 => {
                self.bench.run(RELAY).await;
            }
            74..80 => self.repeat().await,
            80..84 => self.own().await,
            84..88 => {
                self.bench.run(WEEKLY).await;
            }
            88..91 => {
                self.bench.run(STREAKS).await;
            }
            91..96 => {
                let weekly = self.dice.random_bool(0.5);
                let slot = self.now();
                self.run(Died { weekly, slot }, false, true).await;
            }
            _ => {
                // Not after the next slot: that one is worked for instead.
                let now = self.now();
                if let Some(died) = self.died.take()
                    && now - died.slot < TimeDelta::days(1)
                {
                    let dies = self.dice.random_bool(0.4);
                    self.run(died, true, dies).await;
                }
            }
        }
    }

    fn expected(&self) -> Vec<Stats> {
        let today = self.today();
        (1..=MEMBERS)
            .zip(self.questions)
            .map(|(member, questions)| self.truth.stats(member, today, questions))
            .collect()
    }
}

fn solved(member: i64, day: NaiveDate) -> outbox::NewEvent {
    let solved = Solved {
        version: 1,
        member_id: member,
        activity_date: day,
        question_count: 1,
        correct_count: 0,
        question_set_ids: Vec::new(),
    };
    solved.event().unwrap()
}

async fn prepare(bench: &Bench) {
    for table in ["outbox_event", "learn_stats_walk", "member"] {
        bench.sql(&format!("DELETE FROM {table}")).await;
    }
    bench.members(1..=MEMBERS).await;
    for member in 1..=MEMBERS {
        let (owner, status) = (member, "COMPLETE");
        let set = Set {
            owner,
            status,
            ..Set::default()
        };
        bench.set(member, set).await;
        for place in 0..QUESTIONS {
            bench
                .sql(&format!(
                    "INSERT INTO question (id, question_set_id, position, question_type, question_text, answer, explanation) \
                     VALUES ({}, {member}, {}, 'TRUE_FALSE', 'q', 'true', 'e')",
                    member * 10 + place,
                    place + 1
                ))
                .await;
        }
    }
}

async fn live(bench: Bench, zone: Tz, seed: u64) -> Bench {
    prepare(&bench).await;
    let mut history = History {
        bench,
        zone,
        dice: StdRng::seed_from_u64(seed),
        truth: Truth::default(),
        questions: [QUESTIONS; MEMBERS as usize],
        died: None,
        events: 0,
    };
    for _ in 0..STEPS {
        history.step().await;
    }
    let seed = format!("seed {seed} in {zone}");
    // The recalibration comes before what is still on its way, or after it; a dead one is gone on with, or begun anew.
    if history.dice.random_bool(0.5) {
        history.bench.relay().await;
    }
    match history.died.filter(|died| died.weekly) {
        Some(died) if history.now() - died.slot < TimeDelta::days(7) => {
            // What lies before the page where it died was right then, and events have told of all since. Sets make no events.
            history.bench.relay().await;
            history.run(died, true, false).await;
            let without_sets = |mut stats: Stats| {
                stats.total_question_count = 0;
                stats.consecutive_learning_days = 0;
                stats.weekly_solved_question_count = 0;
                stats
            };
            let stats = history.bench.stats().await.into_iter().map(without_sets);
            let expected = history.expected().into_iter().map(without_sets);
            assert!(stats.eq(expected), "{seed}, gone on with");
            history.bench.run(WEEKLY).await;
        }
        _ => {
            history.bench.run(WEEKLY).await;
        }
    }
    assert_eq!(history.bench.stats().await, history.expected(), "{seed}");
    history.bench.relay().await;
    assert_eq!(
        history.bench.stats().await,
        history.expected(),
        "{seed}, when all events are applied"
    );
    // A night passes: of these stats a streak check makes those of the next day, but for the week.
    history.bench.clock.advance(TimeDelta::days(1));
    history.bench.run(STREAKS).await;
    let streaks = |stats: Vec<Stats>| {
        let streaks = stats
            .into_iter()
            .map(|stats| stats.consecutive_learning_days);
        streaks.collect::<Vec<_>>()
    };
    assert_eq!(
        streaks(history.bench.stats().await),
        streaks(history.expected()),
        "{seed}, a day later"
    );
    history.bench
}

async fn live_in(db: testkit::Database, zone: Tz, first_seed: u64) {
    let starts = ["2026-12-20T01:00:00Z", "2027-12-25T05:00:00Z"];
    let start = starts.choose(&mut StdRng::seed_from_u64(first_seed));
    let mut bench = Bench::with(db, start.unwrap(), |config| {
        config.zone = zone;
        config.learn_stats.member_batch = 2;
        config.learn_stats.streak_batch = 2;
        config.outbox.batch = 3;
    })
    .await;
    for seed in first_seed..first_seed + HISTORIES {
        bench = live(bench, zone, seed).await;
    }
}

testkit::on_each_database! {
    async fn histories_in_seoul_end_in_what_the_ledgers_give(db: testkit::Database) {
        live_in(db, Asia::Seoul, 100).await;
    }

    async fn histories_in_new_york_end_in_what_the_ledgers_give(db: testkit::Database) {
        live_in(db, America::New_York, 200).await;
    }

    async fn histories_in_kiritimati_end_in_what_the_ledgers_give(db: testkit::Database) {
        live_in(db, Pacific::Kiritimati, 300).await;
    }
}
