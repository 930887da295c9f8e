//! Refresh tokens: each has one successor, and the table holds hashes only.

use chrono::{DateTime, Utc};
use ground::{Connection, Statements};
use sha2::{Digest, Sha256};

use super::secret::{Secrets, hex, hmac};

/// A tab can be this many rotations behind and still find the newest token within the grace.
const LONGEST_CHAIN: usize = 16;

/// A refresh token as the browser has it.
pub(super) struct RefreshToken {
    pub(super) text: String,
    pub(super) expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RefreshToken(until {})", self.expires_at)
    }
}

impl RefreshToken {
    /// The first of a session.
    pub(super) fn random(expires_at: DateTime<Utc>) -> Self {
        let random: [u8; 32] = rand::random();
        let text = hex(&random);
        Self { text, expires_at }
    }
}

/// Says which token follows another. It follows from the service's secret, so it can be handed out twice and is stored nowhere.
#[derive(Clone)]
pub(super) struct Successors(Vec<u8>);

impl Successors {
    pub(super) fn new(secrets: &Secrets) -> Self {
        Self(secrets.key("refresh-token"))
    }

    /// The token after this one.
    pub(super) fn of(&self, token: &str) -> String {
        hex(&hmac(&self.0, token.as_bytes()))
    }
}

/// A token as the table has it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    expires_at: DateTime<Utc>,
    pub(super) rotated_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}
ground::from_row!(Row {
    id,
    expires_at,
    rotated_at,
    revoked_at
});

impl Row {
    /// Whether it has neither expired nor been revoked.
    pub(super) fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

struct Newest {
    token_hash: String,
    expires_at: DateTime<Utc>,
}
ground::from_row!(Newest {
    token_hash,
    expires_at
});

const FAMILY_OF: &str = "SELECT family_id FROM refresh_token WHERE token_hash = $1";
const BY_HASH: &str =
    "SELECT id, expires_at, rotated_at, revoked_at FROM refresh_token WHERE token_hash = $1";
const INSERT: &str = "INSERT INTO refresh_token (family_id, member_id, token_hash, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5)";
const ROTATED: &str =
    "UPDATE refresh_token SET rotated_at = $2 WHERE id = $1 AND rotated_at IS NULL";
// One, unless a node of an earlier version gave each tab its own.
const NEWEST: &str = "SELECT token_hash, expires_at FROM refresh_token \
     WHERE family_id = $1 AND rotated_at IS NULL ORDER BY id DESC LIMIT 16";
const REVOKE_FAMILY: &str =
    "UPDATE refresh_token SET revoked_at = $2 WHERE family_id = $1 AND revoked_at IS NULL";
const REVOKE_MEMBER: &str =
    "UPDATE refresh_token SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL";
/// $1 ended before, $2 how many.
pub(super) const PRUNE: &str = "DELETE FROM refresh_token WHERE id IN \
     (SELECT id FROM refresh_token WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

/// Who reads the table cannot sign in with it.
pub(super) fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// The family of a token.
pub(super) async fn family_of(
    tx: &mut Connection<'_>,
    token: &str,
) -> Result<Option<String>, sqlx::Error> {
    tx.scalar(FAMILY_OF, vec![hash(token).into()]).await
}

/// The row of a token.
pub(super) async fn row_of(
    tx: &mut Connection<'_>,
    token: &str,
) -> Result<Option<Row>, sqlx::Error> {
    tx.row(BY_HASH, vec![hash(token).into()]).await
}

/// Adds a token to a family.
pub(super) async fn insert(
    tx: &mut Connection<'_>,
    family: &str,
    member_id: i64,
    token: &RefreshToken,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let values = vec![
        family.into(),
        member_id.into(),
        hash(&token.text).into(),
        now.into(),
        token.expires_at.into(),
    ];
    tx.run(INSERT, values).await.map(|_| ())
}

/// Notes that a token has a successor. Whether it had none.
pub(super) async fn mark_rotated(
    tx: &mut Connection<'_>,
    id: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    Ok(tx.run(ROTATED, vec![id.into(), now.into()]).await? == 1)
}

/// The newest token of the family, if it follows from this one.
pub(super) async fn newest(
    tx: &mut Connection<'_>,
    family: &str,
    token: &str,
    successors: &Successors,
) -> Result<Option<RefreshToken>, sqlx::Error> {
    let newest: Vec<Newest> = tx.rows(NEWEST, vec![family.into()]).await?;
    let mut text = token.to_owned();
    for _ in 0..LONGEST_CHAIN {
        text = successors.of(&text);
        let token_hash = hash(&text);
        if let Some(row) = newest.iter().find(|row| row.token_hash == token_hash) {
            let expires_at = row.expires_at;
            return Ok(Some(RefreshToken { text, expires_at }));
        }
    }
    Ok(None)
}

/// Revokes every token of a family.
pub(super) async fn revoke_family(
    tx: &mut Connection<'_>,
    family: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let values = vec![family.into(), now.into()];
    tx.run(REVOKE_FAMILY, values).await.map(|_| ())
}

/// Revokes every token of a member.
pub(super) async fn revoke_member(
    tx: &mut Connection<'_>,
    member_id: i64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let values = vec![member_id.into(), now.into()];
    tx.run(REVOKE_MEMBER, values).await.map(|_| ())
}
