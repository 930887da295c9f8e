//! Refresh tokens: families, rotation, revocation.

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Connection, Dialects, Statements};
use sha2::{Digest, Sha256};

use super::secret::hex;

/// A refresh token as the browser has it, and whose it is.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) token: String,
    pub(super) member_id: i64,
}

/// What became of a refresh.
#[derive(Debug)]
pub(super) enum Rotation {
    /// A new token of the same family.
    Issued(Issued),
    /// Unknown, expired or revoked.
    Refused,
    /// An old token came back after its grace: somebody else may have it, so the whole family is revoked.
    Reused { member_id: i64, family_id: String },
}

#[derive(Debug)]
struct Row {
    id: i64,
    family_id: String,
    member_id: i64,
    expires_at: DateTime<Utc>,
    rotated_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}
ground::from_row!(Row {
    id,
    family_id,
    member_id,
    expires_at,
    rotated_at,
    revoked_at
});

const FAMILY_OF: &str = "SELECT family_id FROM refresh_token WHERE token_hash = $1";
// Rotations and revocations of one family take turns: each locks all its rows first, and looks afterwards.
const LOCK_FAMILY: Dialects = Dialects {
    sqlite: "SELECT id FROM refresh_token WHERE family_id = $1",
    postgres: "SELECT id FROM refresh_token WHERE family_id = $1 ORDER BY id FOR UPDATE",
};
const BY_HASH: &str = "SELECT id, family_id, member_id, expires_at, rotated_at, revoked_at \
     FROM refresh_token WHERE token_hash = $1";
const INSERT: &str = "INSERT INTO refresh_token (family_id, member_id, token_hash, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5)";
const ROTATED: &str =
    "UPDATE refresh_token SET rotated_at = $2 WHERE id = $1 AND rotated_at IS NULL";
const REVOKE_FAMILY: &str =
    "UPDATE refresh_token SET revoked_at = $2 WHERE family_id = $1 AND revoked_at IS NULL";
const REVOKE_MEMBER: &str =
    "UPDATE refresh_token SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL";
const PRUNE: &str = "DELETE FROM refresh_token WHERE id IN \
     (SELECT id FROM refresh_token WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

/// Only the hash is kept: who reads the table cannot sign in with it.
fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// A first token: a new family.
pub(super) async fn open(
    tx: &mut Connection<'_>,
    member_id: i64,
    now: DateTime<Utc>,
    ttl: TimeDelta,
) -> Result<Issued, sqlx::Error> {
    let family_id = uuid::Uuid::now_v7().to_string();
    insert(tx, &family_id, member_id, now, ttl).await
}

async fn insert(
    tx: &mut Connection<'_>,
    family_id: &str,
    member_id: i64,
    now: DateTime<Utc>,
    ttl: TimeDelta,
) -> Result<Issued, sqlx::Error> {
    let random: [u8; 32] = rand::random();
    let token = hex(&random);
    let values = vec![
        family_id.into(),
        member_id.into(),
        hash(&token).into(),
        now.into(),
        (now + ttl).into(),
    ];
    tx.run(INSERT, values).await?;
    Ok(Issued { token, member_id })
}

/// Exchanges a token for the next of its family.
pub(super) async fn rotate(
    tx: &mut Connection<'_>,
    token: &str,
    now: DateTime<Utc>,
    ttl: TimeDelta,
    grace: TimeDelta,
) -> Result<Rotation, sqlx::Error> {
    let token_hash = hash(token);
    let family = tx
        .scalar::<String, _>(FAMILY_OF, vec![token_hash.clone().into()])
        .await?;
    let Some(family) = family else {
        return Ok(Rotation::Refused);
    };
    tx.scalars::<i64, _>(LOCK_FAMILY, vec![family.into()])
        .await?;
    let Some(row) = tx.row::<Row, _>(BY_HASH, vec![token_hash.into()]).await? else {
        return Ok(Rotation::Refused);
    };
    if row.revoked_at.is_some() || row.expires_at <= now {
        return Ok(Rotation::Refused);
    }
    match row.rotated_at {
        Some(at) if now - at > grace => {
            let values = vec![row.family_id.clone().into(), now.into()];
            tx.run(REVOKE_FAMILY, values).await?;
            return Ok(Rotation::Reused {
                member_id: row.member_id,
                family_id: row.family_id,
            });
        }
        // Within the grace another tab was faster: this one gets a token of its own.
        Some(_) => {}
        None => {
            tx.run(ROTATED, vec![row.id.into(), now.into()]).await?;
        }
    }
    let issued = insert(tx, &row.family_id, row.member_id, now, ttl).await?;
    Ok(Rotation::Issued(issued))
}

/// Ends the session that this token belongs to.
pub(super) async fn close(
    tx: &mut Connection<'_>,
    token: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let family = tx
        .scalar::<String, _>(FAMILY_OF, vec![hash(token).into()])
        .await?;
    if let Some(family) = family {
        tx.scalars::<i64, _>(LOCK_FAMILY, vec![family.clone().into()])
            .await?;
        tx.run(REVOKE_FAMILY, vec![family.into(), now.into()])
            .await?;
    }
    Ok(())
}

/// Ends every session of a member.
pub(super) async fn close_all(
    tx: &mut Connection<'_>,
    member_id: i64,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    tx.run(REVOKE_MEMBER, vec![member_id.into(), now.into()])
        .await
}

/// Deletes tokens that ended before `before`; the number deleted.
pub(super) async fn prune(
    tx: &mut Connection<'_>,
    before: DateTime<Utc>,
    batch: u32,
) -> Result<u64, sqlx::Error> {
    tx.run(PRUNE, vec![before.into(), i64::from(batch).into()])
        .await
}
