//! What must hold: between two rounds, when everything has come to its end, and after the recalibration. Computed from
//! what was committed, in plain code that shares nothing with the service's statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use chrono_tz::Asia::Seoul;
use chrono_tz::Tz;
use ground::{FromRow, Statements, from_row};
use pullit::platform::db::Db;
use serde_json::Value;

use crate::hands::{BURST, GHOST, STALE, promises};

/// What holds at every moment, each as a count of exceptions.
const INVARIANTS: [(&str, &str); 6] = [
    (
        "events that are neither waiting nor settled, or both",
        "SELECT count(*) FROM tap_published p WHERE (SELECT count(*) FROM outbox_event o WHERE o.id = p.id) \
         + (SELECT count(*) FROM tap_settled t WHERE t.id = p.id) <> 1",
    ),
    (
        "events that nobody published",
        "SELECT (SELECT count(*) FROM tap_settled WHERE id NOT IN (SELECT id FROM tap_published)) \
         + (SELECT count(*) FROM outbox_event WHERE id NOT IN (SELECT id FROM tap_published))",
    ),
    (
        "notifications too few or too many for the settled events",
        "SELECT (SELECT count(*) FROM tap_published WHERE event_type IN ('QUESTION_SET_COMPLETED', 'QUESTION_SET_FAILED')) \
         - (SELECT count(*) FROM outbox_event WHERE event_type IN ('QUESTION_SET_COMPLETED', 'QUESTION_SET_FAILED')) \
         - (SELECT count(*) FROM notification)",
    ),
    (
        "requests for work that nobody published, or that were enqueued twice",
        "SELECT (SELECT count(*) FROM tap_work WHERE event_id NOT IN (SELECT event_id FROM tap_published)) \
         + (SELECT count(*) FROM tap_work) - (SELECT count(DISTINCT event_id) FROM tap_work)",
    ),
    (
        "members whose settled markings are not in their stats",
        "SELECT count(*) FROM member m LEFT JOIN learn_stats s ON s.member_id = m.id \
         WHERE NOT EXISTS (SELECT 1 FROM outbox_event o WHERE o.aggregate_key = 'member:' || m.id) \
         AND (coalesce(s.total_solved_question_count, 0) \
                <> (SELECT count(*) FROM marking_result r WHERE r.member_id = m.id) \
              OR coalesce(s.total_correct_question_count, 0) \
                <> (SELECT count(*) FROM marking_result r WHERE r.member_id = m.id AND r.is_correct))",
    ),
    (
        "COMPLETE sets with questions too few or too many, and others with any",
        "SELECT count(*) FROM question_set s WHERE (SELECT count(*) FROM question q WHERE q.question_set_id = s.id) \
         <> CASE WHEN s.status = 'COMPLETE' THEN s.question_length ELSE 0 END",
    ),
];

/// Looks at what must hold at every moment. Nobody works meanwhile.
pub(crate) async fn between(db: &Db) {
    for (what, sql) in INVARIANTS {
        assert_eq!(number(db, sql).await, 0, "{what}");
    }
}

async fn number(db: &Db, sql: &'static str) -> i64 {
    let number = db.write().scalar::<i64, _>(sql, Vec::new()).await;
    number.unwrap().unwrap()
}

async fn rows<T: FromRow + Send>(db: &Db, sql: &'static str) -> Vec<T> {
    db.write().rows(sql, Vec::new()).await.unwrap()
}

/// An event that was committed.
#[derive(Debug)]
struct Published {
    id: i64,
    event_id: String,
    event_type: String,
    aggregate_key: String,
    payload: String,
}
from_row!(Published {
    id,
    event_id,
    event_type,
    aggregate_key,
    payload
});

impl Published {
    fn payload(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap()
    }
}

#[derive(Debug)]
struct Set {
    id: i64,
    status: String,
    retry_count: i32,
}
from_row!(Set {
    id,
    status,
    retry_count
});

#[derive(Debug)]
struct Told {
    payload: Value,
}
from_row!(Told { payload });

/// What is said of one set, in order.
#[derive(Debug, Default)]
struct Story {
    /// Of requests that a set waits for.
    attempts: Vec<i64>,
    completed: usize,
    failed: usize,
    /// Success and title of each announcement.
    announced: Vec<(bool, String)>,
}

/// Looks at everything, once nothing is under way: at what was delivered to the workers' queue, too, in its order, of which
/// so much may be a repeat. How much is.
pub(crate) async fn closed(db: &Db, folder: &Path, delivered: &[String], most: usize) -> usize {
    assert_eq!(number(db, "SELECT count(*) FROM outbox_event").await, 0);
    let published: Vec<Published> = rows(db, "SELECT * FROM tap_published ORDER BY id").await;
    let stories = stories(&published);
    let sets: Vec<Set> = rows(db, "SELECT id, status, retry_count FROM question_set").await;
    assert!(
        !stories.contains_key(&GHOST),
        "a rolled-back event was published"
    );
    sets_are_as_told(&sets, &stories);
    members_are_told(db, &stories).await;
    let repeated = first_deliveries_are_in_order(&published, delivered);
    assert!(repeated <= most, "{repeated} repeats, of at most {most}");
    work_is_remembered(db, &published).await;
    answers_were_kept(db, folder).await;
    markings_were_published(db, &published).await;
    repeated
}

fn stories(published: &[Published]) -> BTreeMap<i64, Story> {
    let mut stories: BTreeMap<i64, Story> = BTreeMap::new();
    for event in published {
        let payload = event.payload();
        let Some(set) = payload["questionSetId"].as_i64() else {
            continue;
        };
        let story = stories.entry(set).or_default();
        let title = payload["title"].as_str().unwrap_or_default();
        let of_the_worker = !title.starts_with(BURST);
        match event.event_type.as_str() {
            "QUESTION_GENERATION_REQUESTED" => {
                let attempt = payload["attempt"].as_i64().unwrap();
                if attempt < i64::from(STALE) {
                    story.attempts.push(attempt);
                }
            }
            "QUESTION_SET_COMPLETED" => {
                story.completed += 1;
                story.announced.push((true, title.to_owned()));
            }
            "QUESTION_SET_FAILED" => {
                story.failed += usize::from(of_the_worker);
                story.announced.push((false, title.to_owned()));
            }
            other => panic!("{other} speaks of a set"),
        }
    }
    stories
}

/// Each attempt was asked for once and ended once.
fn sets_are_as_told(sets: &[Set], stories: &BTreeMap<i64, Story>) {
    assert_eq!(
        sets.len(),
        stories.len(),
        "sets, and sets that were asked for"
    );
    for set in sets {
        let story = &stories[&set.id];
        let attempts: Vec<i64> = (0..=i64::from(set.retry_count)).collect();
        assert_eq!(story.attempts, attempts, "{set:?}");
        let retries = usize::try_from(set.retry_count).unwrap();
        let ends = match set.status.as_str() {
            "COMPLETE" => (1, retries),
            "FAILED" => (0, retries + 1),
            _ => panic!("{set:?} has not come to its end"),
        };
        assert_eq!((story.completed, story.failed), ends, "{set:?}");
    }
}

/// Each announcement was stored once, and those of one set in order.
async fn members_are_told(db: &Db, stories: &BTreeMap<i64, Story>) {
    let told: Vec<Told> = rows(db, "SELECT payload FROM notification ORDER BY id").await;
    let mut by_set: HashMap<i64, Vec<Value>> = HashMap::new();
    for Told { payload } in told {
        let set = payload["questionSetId"].as_i64().unwrap();
        by_set.entry(set).or_default().push(payload);
    }
    for (set, story) in stories {
        let told = by_set.remove(set).unwrap_or_default();
        assert_eq!(
            told.len(),
            story.announced.len(),
            "set {set}: {told:#?}, {story:#?}"
        );
        for (told, (success, title)) in told.iter().zip(&story.announced) {
            let message = told["message"].as_str().unwrap();
            assert!(
                told["success"] == *success && message.contains(&format!("'{title}'")),
                "set {set}: {told} instead of {title}"
            );
        }
    }
    assert!(by_set.is_empty(), "nobody has published {by_set:#?}");
}

/// What the work table got, in order.
pub(crate) async fn enqueued(db: &Db) -> Vec<String> {
    let sql = "SELECT event_id FROM tap_work ORDER BY seq";
    let order = db.write().scalars::<String, _>(sql, Vec::new()).await;
    order.unwrap()
}

/// The worker's inbox holds each request that came to an end there, and no other.
async fn work_is_remembered(db: &Db, published: &[Published]) {
    let sql = "SELECT CAST(event_id AS TEXT) FROM processed_event WHERE consumer = 'QuestionGenerationWorker'";
    let remembered = db.write().scalars::<String, _>(sql, Vec::new()).await;
    let remembered: BTreeSet<String> = remembered.unwrap().into_iter().collect();
    let ended: BTreeSet<String> = published
        .iter()
        .filter(|event| event.event_type == "QUESTION_GENERATION_REQUESTED")
        .filter(|event| event.payload()["attempt"].as_i64() < Some(i64::from(STALE)))
        .map(|event| event.event_id.clone())
        .collect();
    assert_eq!(remembered, ended);
}

/// Every request was delivered, nothing else was, and first deliveries of one set follow the order of publication. The
/// number of deliveries beyond the first of each.
fn first_deliveries_are_in_order(published: &[Published], delivered: &[String]) -> usize {
    let requests: HashMap<&str, &Published> = published
        .iter()
        .filter(|event| event.event_type == "QUESTION_GENERATION_REQUESTED")
        .map(|event| (event.event_id.as_str(), event))
        .collect();
    let mut seen = BTreeSet::new();
    let mut last: HashMap<&str, i64> = HashMap::new();
    for event_id in delivered {
        let event = requests
            .get(event_id.as_str())
            .unwrap_or_else(|| panic!("nobody has published {event_id}, which was delivered"));
        if !seen.insert(event_id) {
            continue;
        }
        let last = last.entry(&event.aggregate_key).or_insert(i64::MIN);
        assert!(
            event.id > *last,
            "{event:?} came after event {last} of its key"
        );
        *last = event.id;
    }
    assert_eq!(
        seen.len(),
        requests.len(),
        "requests that were delivered, and all"
    );
    delivered.len() - seen.len()
}

/// What a member was told to be done is there.
async fn answers_were_kept(db: &Db, folder: &Path) {
    let keys = db
        .write()
        .scalars::<String, _>("SELECT key FROM idempotency_key", Vec::new())
        .await
        .unwrap();
    let keys: BTreeSet<String> = keys.into_iter().collect();
    let promised = std::fs::read_to_string(promises(folder)).unwrap_or_default();
    for key in promised.lines() {
        assert!(keys.contains(key), "{key} was answered and is gone");
    }
}

/// An answer that was marked.
#[derive(Debug)]
struct Marking {
    member_id: i64,
    question_id: i64,
    is_correct: bool,
    created_at: DateTime<Utc>,
}
from_row!(Marking {
    member_id,
    question_id,
    is_correct,
    created_at
});

async fn markings(db: &Db) -> Vec<Marking> {
    let sql = "SELECT member_id, question_id, is_correct, created_at FROM marking_result";
    rows(db, sql).await
}

/// A marking request and its answer, as the member got it.
#[derive(Debug)]
struct Request {
    member_id: i64,
    body: Value,
}
from_row!(Request { member_id, body });

impl Request {
    /// Member, question, and whether the answer was right.
    fn results(&self) -> Vec<(i64, i64, bool)> {
        let results = self.body["results"].as_array().unwrap().iter();
        results
            .map(|result| {
                let question = result["questionId"].as_i64().unwrap();
                (
                    self.member_id,
                    question,
                    result["isCorrect"].as_bool().unwrap(),
                )
            })
            .collect()
    }
}

async fn requests(db: &Db) -> Vec<Request> {
    let sql = "SELECT member_id, body FROM idempotency_key WHERE scope = 'marking'";
    rows(db, sql).await
}

/// Each marking request has its results and its event, and there are no others.
async fn markings_were_published(db: &Db, published: &[Published]) {
    let requests = requests(db).await;
    let mut answered: Vec<_> = requests.iter().flat_map(Request::results).collect();
    let mut stored: Vec<_> = markings(db)
        .await
        .iter()
        .map(|marking| (marking.member_id, marking.question_id, marking.is_correct))
        .collect();
    answered.sort_unstable();
    stored.sort_unstable();
    assert_eq!(answered, stored, "answers that were given, and results");

    let mut asked: Vec<_> = requests
        .iter()
        .map(|request| {
            let results = request.results();
            let correct = results.iter().filter(|(.., correct)| *correct).count();
            (request.member_id, results.len(), correct)
        })
        .collect();
    let mut solved: Vec<_> = published
        .iter()
        .filter(|event| event.event_type == "QUESTION_SET_SOLVED")
        .map(|event| {
            let payload = event.payload();
            let number = |name: &str| payload[name].as_i64().unwrap();
            let count = |name: &str| usize::try_from(number(name)).unwrap();
            (
                number("memberId"),
                count("questionCount"),
                count("correctCount"),
            )
        })
        .collect();
    asked.sort_unstable();
    solved.sort_unstable();
    assert_eq!(asked, solved, "markings, and events that tell of one");
}

/// A row of `learn_stats`.
#[derive(Clone, Debug, Default, PartialEq)]
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
from_row!(Stats {
    member_id,
    total_solved_question_set_count,
    total_solved_question_count,
    total_correct_question_count,
    total_question_count,
    weekly_solved_question_count,
    consecutive_learning_days,
    last_learning_date,
});

#[derive(Debug)]
struct Owned {
    owner_id: i64,
    questions: i64,
}
from_row!(Owned {
    owner_id,
    questions
});

#[derive(Debug)]
struct Question {
    id: i64,
    question_set_id: i64,
    question_length: i32,
}
from_row!(Question {
    id,
    question_set_id,
    question_length
});

/// Looks at the stats of a recalibrated database: they are what the marked answers give.
pub(crate) async fn recalibrated(db: &Db, now: DateTime<Tz>) {
    let today = now.date_naive();
    let monday = today - Days::new(u64::from(today.weekday().num_days_from_monday()));
    let mut expected: BTreeMap<i64, Stats> = BTreeMap::new();
    let mut days: BTreeMap<i64, BTreeSet<NaiveDate>> = BTreeMap::new();
    for marking in markings(db).await {
        let day = marking.created_at.with_timezone(&Seoul).date_naive();
        let stats = expected.entry(marking.member_id).or_default();
        stats.total_solved_question_count += 1;
        stats.total_correct_question_count += i64::from(marking.is_correct);
        stats.weekly_solved_question_count += i64::from(day >= monday);
        stats.last_learning_date = stats.last_learning_date.max(Some(day));
        days.entry(marking.member_id).or_default().insert(day);
    }
    for (member, sets) in solved_sets(db).await {
        let stats = expected.get_mut(&member).unwrap();
        stats.total_solved_question_set_count = sets;
    }
    for (member, days) in days {
        let stats = expected.get_mut(&member).unwrap();
        stats.consecutive_learning_days = streak(&days, today);
    }
    let owned: Vec<Owned> = rows(
        db,
        "SELECT s.owner_id, count(*) AS questions FROM question q JOIN question_set s ON s.id = q.question_set_id \
         WHERE s.status = 'COMPLETE' AND s.deleted_at IS NULL GROUP BY s.owner_id",
    )
    .await;
    for owned in owned {
        let stats = expected.entry(owned.owner_id).or_default();
        stats.total_question_count = owned.questions;
    }
    let stats: Vec<Stats> = rows(db, "SELECT * FROM learn_stats ORDER BY member_id").await;
    for stats in stats {
        let member_id = stats.member_id;
        let expected = expected.remove(&member_id).unwrap_or_default();
        assert_eq!(
            stats,
            Stats {
                member_id,
                ..expected
            }
        );
    }
    assert!(expected.is_empty(), "members without stats: {expected:#?}");
}

/// For each member, how many sets were marked whole in one request.
async fn solved_sets(db: &Db) -> BTreeMap<i64, i64> {
    let sql = "SELECT q.id, q.question_set_id, s.question_length FROM question q \
               JOIN question_set s ON s.id = q.question_set_id";
    let questions: Vec<Question> = rows(db, sql).await;
    let questions: HashMap<i64, Question> = questions
        .into_iter()
        .map(|question| (question.id, question))
        .collect();
    let mut solved = BTreeMap::new();
    for request in requests(db).await {
        let mut marked: BTreeMap<i64, (i32, i32)> = BTreeMap::new();
        for (_, question, _) in request.results() {
            let question = &questions[&question];
            let set = marked.entry(question.question_set_id).or_default();
            *set = (set.0 + 1, question.question_length);
        }
        let whole = marked
            .values()
            .filter(|(marked, all)| marked == all)
            .count();
        *solved.entry(request.member_id).or_default() += i64::try_from(whole).unwrap();
    }
    solved
}

/// The days up to today or yesterday without a gap.
fn streak(days: &BTreeSet<NaiveDate>, today: NaiveDate) -> i64 {
    let mut day = today;
    if !days.contains(&day) {
        day = day - Days::new(1);
    }
    let mut streak = 0;
    while days.contains(&day) {
        streak += 1;
        day = day - Days::new(1);
    }
    streak
}
