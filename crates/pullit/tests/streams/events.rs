//! Publishes events as the service does.

use ground::{Database, Statements};

const SECRET: &str = "a secret of the tests that is long enough";

/// The binary on this database, as one node of a cluster.
pub(crate) fn node(database: &str) -> testkit::process::Command {
    testkit::process::Pullit::command(env!("CARGO_BIN_EXE_pullit"))
        .env("PULLIT_DATABASE__URL", database)
        .env("PULLIT_AUTH__JWT_SECRET", SECRET)
        // A node that is dead is stood in for soon.
        .env("PULLIT_JOBS__RELAYOUTBOXEVENTS__LEASE", "1s")
        .bound(std::time::Duration::from_secs(120))
}

/// As the service does it: an event in the outbox, and a wake-up for the relay. One of each list belongs together.
const PUBLISH: &str = "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload) \
     SELECT gen_random_uuid(), 'QUESTION_SET_COMPLETED', 'question-set:' || (item ->> 0), \
         jsonb_build_object('version', 1, 'questionSetId', (item ->> 0)::bigint, 'memberId', (item ->> 1)::bigint, 'title', '생물') \
     FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS list (item, place) ORDER BY place";

/// Publishes that these sets of these members are made.
pub(crate) async fn publish(db: &Database, sets: &[(i64, i64)]) -> Result<(), sqlx::Error> {
    let values = vec![serde_json::to_string(sets).unwrap().into()];
    let published = db.run(PUBLISH, values).await?;
    assert_eq!(published as usize, sets.len());
    db.script("SELECT pg_notify('pullit_outbox', 'a test')")
        .await?;
    Ok(())
}
