//! Whose turn it is to make a set's questions. A request may be delivered twice at once (a relay that died before it deleted the event), and
//! a model is asked, and paid, once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ground::Statements;
use uuid::Uuid;

use super::result::Attempt;
use super::service::QuestionSets;

// A newer attempt takes the turn from an older one, whose result nobody waits for.
const TAKE: &str = "INSERT INTO generation_turn (question_set_id, attempt, holder, leased_until) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (question_set_id) DO UPDATE SET attempt = excluded.attempt, holder = excluded.holder, \
       leased_until = excluded.leased_until \
     WHERE generation_turn.attempt < excluded.attempt OR generation_turn.leased_until <= $5";
const KEEP: &str =
    "UPDATE generation_turn SET leased_until = $3 WHERE question_set_id = $1 AND holder = $2";
const LEAVE: &str = "DELETE FROM generation_turn WHERE question_set_id = $1 AND holder = $2";

/// A turn that was taken, believed alive for its lease after each sign of life.
#[derive(Debug)]
pub(super) struct Turn {
    question_set_id: i64,
    holder: String,
}

impl QuestionSets {
    /// The turn, unless somebody else has it.
    pub(super) async fn take_turn(
        &self,
        attempt: &Attempt,
        lease: Duration,
    ) -> Result<Option<Turn>, sqlx::Error> {
        let turn = Turn {
            question_set_id: attempt.question_set_id,
            holder: Uuid::new_v4().to_string(),
        };
        let now = (self.now)();
        let values = vec![
            turn.question_set_id.into(),
            attempt.number.into(),
            turn.holder.clone().into(),
            end(now, lease).into(),
            now.into(),
        ];
        let taken = self.db.write().run(TAKE, values).await?;
        Ok((taken == 1).then_some(turn))
    }

    /// Whether the turn is still this one's.
    pub(super) async fn keep_turn(
        &self,
        turn: &Turn,
        lease: Duration,
    ) -> Result<bool, sqlx::Error> {
        let until = end((self.now)(), lease);
        let values = vec![
            turn.question_set_id.into(),
            turn.holder.clone().into(),
            until.into(),
        ];
        Ok(self.db.write().run(KEEP, values).await? == 1)
    }

    /// Lets others have their turn. Left undone, they have it when the lease is over.
    pub(super) async fn leave_turn(&self, turn: &Turn) -> Result<(), sqlx::Error> {
        let values = vec![turn.question_set_id.into(), turn.holder.clone().into()];
        self.db.write().run(LEAVE, values).await?;
        Ok(())
    }
}

fn end(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX)
}
