//! The effect, ours and bare: what a batch adds for each member, in one statement.

use std::collections::BTreeMap;

use async_trait::async_trait;
use outbox::{ApplyError, Connection, Event, Projection, Statements};
use tokio::sync::mpsc::UnboundedSender;

pub(crate) const TABLE: &str =
    "CREATE TABLE total (member_id BIGINT PRIMARY KEY, questions BIGINT NOT NULL)";

pub(crate) const ADD_POSTGRES: &str = "INSERT INTO total (member_id, questions)
    SELECT (e ->> 0)::bigint, (e ->> 1)::bigint FROM jsonb_array_elements($1::jsonb) AS list (e)
    ON CONFLICT (member_id) DO UPDATE SET questions = total.questions + excluded.questions";

pub(crate) const ADD_SQLITE: &str = "INSERT INTO total (member_id, questions)
    SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE true
    ON CONFLICT (member_id) DO UPDATE SET questions = total.questions + excluded.questions";

/// What a batch adds, as the parameter of the statement.
pub(crate) fn sums<'p>(payloads: impl Iterator<Item = &'p serde_json::Value>) -> String {
    let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
    for payload in payloads {
        let member = payload["memberId"].as_i64().unwrap();
        *sums.entry(member).or_default() += payload["questionCount"].as_i64().unwrap();
    }
    let rows: Vec<(i64, i64)> = sums.into_iter().collect();
    serde_json::to_string(&rows).unwrap()
}

/// The projection; after a commit it says how many events took effect.
pub(crate) struct Totals(pub(crate) Option<UnboundedSender<usize>>);

#[async_trait]
impl Projection for Totals {
    fn name(&self) -> &str {
        "totals"
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        let add = if tx.dialect().is_postgres() {
            ADD_POSTGRES
        } else {
            ADD_SQLITE
        };
        let sums = sums(events.iter().map(|event| &event.payload));
        tx.run(add, vec![sums.into()]).await?;
        Ok(())
    }

    async fn committed(&self, events: &[Event]) {
        if let Some(said) = &self.0 {
            // Nobody listens any more when the measurement is over.
            let _ = said.send(events.len());
        }
    }
}
