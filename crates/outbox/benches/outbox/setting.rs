//! What the measurements have in common.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use outbox::{Database, Destination, NewEvent, Relay, RelayRun, Statements, publish_all, schema};
use serde_json::json;

use crate::effect::{self, Totals};

/// Events of so many keys.
pub(crate) const MEMBERS: u64 = 10_000;
pub(crate) const BATCH: u64 = 1_000;
pub(crate) const EVENT_TYPE: &str = "QUESTION_SET_SOLVED";

/// A number from the environment.
pub(crate) fn number(name: &str, usual: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(usual, |text| text.parse().expect(name))
}

/// An empty database with the tables.
pub(crate) async fn database(kind: &str) -> (testkit::Database, Database) {
    let database = match kind {
        "postgres" => testkit::Database::postgres().await,
        _ => testkit::Database::sqlite(),
    };
    let db = database.connect().await;
    schema::create_tables(&db).await.unwrap();
    db.script(effect::TABLE).await.unwrap();
    (database, db)
}

pub(crate) fn relay(db: &Database, totals: Arc<Totals>) -> Relay {
    Relay::builder(db.clone())
        .batch_size(BATCH)
        .route(EVENT_TYPE, Destination::Projection(totals))
        .build()
        .unwrap()
}

pub(crate) fn long_run() -> RelayRun {
    RelayRun::new(Duration::from_secs(3600))
}

/// An event as the service publishes it when a member has solved a set.
pub(crate) fn solved(n: u64) -> NewEvent {
    let member = n.wrapping_mul(7919) % MEMBERS;
    NewEvent::new(
        EVENT_TYPE,
        format!("member:{member}"),
        json!({
            "version": 1, "memberId": member, "activityDate": "2026-11-23",
            "questionCount": 5, "correctCount": 3, "questionSetIds": [n]
        }),
    )
}

pub(crate) async fn publish(db: &Database, events: impl Iterator<Item = u64>) {
    let mut tx = db.begin().await.unwrap();
    publish_all(&mut tx, events.map(solved).collect(), Utc::now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// The value below which the given part of all lies.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * part) as usize;
    values[place.min(values.len() - 1)]
}

/// Seconds of processor time of this process so far.
pub(crate) fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold anything: state is field 3, user and system time are 14 and 15, in ticks of 10 ms.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
        .sum()
}
