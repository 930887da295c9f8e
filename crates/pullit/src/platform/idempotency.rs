//! `Idempotency-Key`: the same key answers the same and acts once, for 24 hours.
//!
//! The key is claimed in the transaction of the work itself, so that the work and its remembered answer exist together or not at all. Of two
//! requests with one key at the same time the second waits for the first one's commit at the primary key, and then finds its answer.

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Connection, Dialects, Fence, FenceError, Statements};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::db::Db;

/// Why a request cannot be answered once.
#[derive(Debug, Error)]
pub enum OnceError {
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    Reused,
    /// The key was claimed and its answer is gone again: somebody else is at work on it.
    #[error("the answer of an idempotency key vanished while it was read")]
    Busy,
    /// A request or an answer cannot be written as JSON, or read from it.
    #[error("a remembered request or answer cannot be used: {0}")]
    Json(#[from] serde_json::Error),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// One request that must act once.
#[derive(Debug)]
pub struct Once {
    member_id: i64,
    scope: &'static str,
    key: String,
    request_hash: String,
}

/// An answer that was given before.
#[derive(Debug)]
pub struct Remembered {
    request_hash: String,
    /// HTTP status.
    pub status: i32,
    /// Body.
    pub body: serde_json::Value,
}
ground::from_row!(Remembered {
    request_hash,
    status,
    body
});

impl Remembered {
    /// The answer, as it was given.
    ///
    /// # Errors
    /// When the row holds something else.
    pub fn answer<T: DeserializeOwned>(self) -> Result<T, OnceError> {
        Ok(serde_json::from_value(self.body)?)
    }
}

const FORGET: &str = "DELETE FROM idempotency_key \
     WHERE member_id = $1 AND scope = $2 AND key = $3 AND created_at <= $4";
const CLAIM: &str = "INSERT INTO idempotency_key (member_id, scope, key, request_hash, status, body, created_at) \
     VALUES ($1, $2, $3, $4, 0, 'null', $5) ON CONFLICT (member_id, scope, key) DO NOTHING";
const RECALL: &str = "SELECT request_hash, status, body FROM idempotency_key \
     WHERE member_id = $1 AND scope = $2 AND key = $3";
const REMEMBER: Dialects = Dialects {
    sqlite: "UPDATE idempotency_key SET status = $4, body = $5 \
         WHERE member_id = $1 AND scope = $2 AND key = $3",
    postgres: "UPDATE idempotency_key SET status = $4, body = $5::jsonb \
         WHERE member_id = $1 AND scope = $2 AND key = $3",
};
const PRUNE: &str = "DELETE FROM idempotency_key WHERE (member_id, scope, key) IN \
     (SELECT member_id, scope, key FROM idempotency_key WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

/// How long a key is remembered (contract).
const LIFETIME: TimeDelta = TimeDelta::hours(24);

impl Once {
    /// The request, if it carried a key.
    ///
    /// # Errors
    /// When the request cannot be written as JSON.
    pub fn of(
        member_id: i64,
        scope: &'static str,
        key: Option<String>,
        request: &impl Serialize,
    ) -> Result<Option<Self>, OnceError> {
        let Some(key) = key else {
            return Ok(None);
        };
        let request = serde_json::to_vec(request)?;
        Ok(Some(Self {
            member_id,
            scope,
            key,
            request_hash: crate::auth::hex(&Sha256::digest(&request)),
        }))
    }

    /// Claims the key in the transaction of the work. The answer of before, when there is one: then there is nothing to do.
    ///
    /// # Errors
    /// [`OnceError::Reused`] when the key was used for another request.
    pub async fn claim(
        &self,
        tx: &mut Connection<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<Remembered>, OnceError> {
        let name = || {
            vec![
                self.member_id.into(),
                self.scope.into(),
                self.key.clone().into(),
            ]
        };
        let mut forget = name();
        forget.push((now - LIFETIME).into());
        tx.run(FORGET, forget).await?;
        let mut claim = name();
        claim.extend([self.request_hash.clone().into(), now.into()]);
        if tx.run(CLAIM, claim).await? == 1 {
            return Ok(None);
        }
        let remembered = tx
            .row::<Remembered, _>(RECALL, name())
            .await?
            .ok_or(OnceError::Busy)?;
        if remembered.request_hash != self.request_hash {
            return Err(OnceError::Reused);
        }
        Ok(Some(remembered))
    }

    /// Keeps the answer, in the same transaction.
    ///
    /// # Errors
    /// When the answer cannot be written.
    pub async fn remember(
        &self,
        tx: &mut Connection<'_>,
        status: u16,
        body: &impl Serialize,
    ) -> Result<(), OnceError> {
        let body = serde_json::to_string(body)?;
        let values = vec![
            self.member_id.into(),
            self.scope.into(),
            self.key.clone().into(),
            i32::from(status).into(),
            body.into(),
        ];
        tx.run(REMEMBER, values).await?;
        Ok(())
    }
}

/// Deletes one batch of keys older than `before`; the number deleted.
///
/// # Errors
/// When the run that asks has lost its lease, or the database does not answer.
pub async fn prune(
    db: &Db,
    before: DateTime<Utc>,
    batch: u32,
    fence: &dyn Fence,
) -> Result<u64, FenceError> {
    let mut tx = db.begin().await?;
    let values = vec![before.into(), i64::from(batch).into()];
    let pruned = tx.run(PRUNE, values).await?;
    fence.check(&mut tx).await?;
    tx.commit().await?;
    Ok(pruned)
}
