//! The generation lease: who makes a set's questions. A request may be delivered twice at once (a relay that died before it deleted the
//! event), and a model is asked, and paid, once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ground::Statements;
use uuid::Uuid;

use super::result::Attempt;
use super::service::QuestionSets;

// A newer attempt takes the lease from an older one, whose result nobody waits for.
const CLAIM: &str = "INSERT INTO generation_turn (question_set_id, attempt, holder, leased_until) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (question_set_id) DO UPDATE SET attempt = excluded.attempt, holder = excluded.holder, \
       leased_until = excluded.leased_until \
     WHERE generation_turn.attempt < excluded.attempt OR generation_turn.leased_until <= $5";
const EXTEND: &str =
    "UPDATE generation_turn SET leased_until = $3 WHERE question_set_id = $1 AND holder = $2";
const RELEASE: &str = "DELETE FROM generation_turn WHERE question_set_id = $1 AND holder = $2";

/// A lease that was claimed; it is believed alive until it runs out after the last sign of life.
#[derive(Debug)]
pub(super) struct GenerationLease {
    question_set_id: i64,
    holder: String,
}

impl QuestionSets {
    /// The lease, unless somebody else has it.
    pub(super) async fn claim_generation(
        &self,
        attempt: &Attempt,
        time: Duration,
    ) -> Result<Option<GenerationLease>, sqlx::Error> {
        let claimed = GenerationLease {
            question_set_id: attempt.question_set_id,
            holder: Uuid::new_v4().to_string(),
        };
        let now = (self.now)();
        let values = vec![
            claimed.question_set_id.into(),
            attempt.number.into(),
            claimed.holder.clone().into(),
            end(now, time).into(),
            now.into(),
        ];
        let taken = self.db.write().run(CLAIM, values).await?;
        Ok((taken == 1).then_some(claimed))
    }

    /// Whether the lease is still this one's.
    pub(super) async fn extend_generation(
        &self,
        lease: &GenerationLease,
        time: Duration,
    ) -> Result<bool, sqlx::Error> {
        let until = end((self.now)(), time);
        let values = vec![
            lease.question_set_id.into(),
            lease.holder.clone().into(),
            until.into(),
        ];
        Ok(self.db.write().run(EXTEND, values).await? == 1)
    }

    /// Lets others claim it. Left undone, they can when the lease is over.
    pub(super) async fn release_generation(
        &self,
        lease: &GenerationLease,
    ) -> Result<(), sqlx::Error> {
        let values = vec![lease.question_set_id.into(), lease.holder.clone().into()];
        self.db.write().run(RELEASE, values).await?;
        Ok(())
    }
}

fn end(now: DateTime<Utc>, time: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}
