//! Sign-in, refresh and sign-out, and who stands behind an access token.

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Fence, FenceError};

use super::error::AuthError;
use super::sessions::{self, Rotation};
use super::tokens::{AccessTokens, Verdict};
use crate::member::{CreateMember, Member, Members};
use crate::platform::clock::Now;
use crate::platform::db::Db;

/// How sign-in is set up.
#[derive(Clone, Copy, Debug)]
pub struct AuthOptions {
    /// Whether an e-mail address alone signs in.
    pub dev_login: bool,
    /// How long a refresh token lives.
    pub refresh_ttl: TimeDelta,
    /// How long a rotated refresh token is still taken.
    pub refresh_grace: TimeDelta,
    /// Whether browsers reach us under https, so that the cookie must stay on it.
    pub secure_cookie: bool,
}

/// A fresh pair of tokens.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) access_token: String,
    pub(super) refresh_token: String,
}

/// The sign-in room.
#[derive(Clone)]
pub struct Auth {
    db: Db,
    now: Now,
    members: Members,
    tokens: AccessTokens,
    pub(super) options: AuthOptions,
}

impl Auth {
    /// The room, on its database, clock and keys.
    pub fn new(
        db: Db,
        now: Now,
        members: Members,
        tokens: AccessTokens,
        options: AuthOptions,
    ) -> Self {
        Self {
            db,
            now,
            members,
            tokens,
            options,
        }
    }

    pub(super) async fn dev_login(
        &self,
        email: String,
        name: Option<String>,
    ) -> Result<SignedIn, AuthError> {
        let create = CreateMember {
            email,
            name,
            admin: false,
        };
        // In one transaction: a sign-in that is refused leaves no member behind.
        let mut tx = self.db.begin().await?;
        let (member, made) = self.members.find_or_create(&mut tx, create).await?;
        if !member.active() {
            return Err(AuthError::MemberOut);
        }
        let (now, ttl) = ((self.now)(), self.options.refresh_ttl);
        let issued = sessions::open(&mut tx, member.id, now, ttl).await?;
        tx.commit().await?;
        if made {
            tracing::info!(member = member.id, "a member signed in for the first time");
        }
        self.sign(member.id, issued.token)
    }

    pub(super) async fn refresh(&self, token: &str) -> Result<SignedIn, AuthError> {
        let now = (self.now)();
        let mut tx = self.db.begin().await?;
        let rotation = sessions::rotate(
            &mut tx,
            token,
            now,
            self.options.refresh_ttl,
            self.options.refresh_grace,
        )
        .await?;
        tx.commit().await?;
        let issued = match rotation {
            Rotation::Issued(issued) => issued,
            Rotation::Refused => return Err(AuthError::RefreshInvalid),
            Rotation::Reused {
                member_id,
                family_id,
            } => {
                tracing::warn!(
                    member = member_id,
                    family = family_id,
                    "a used refresh token came back: its session was ended"
                );
                return Err(AuthError::RefreshInvalid);
            }
        };
        match self.members.get(issued.member_id).await? {
            Some(member) if member.active() => self.sign(member.id, issued.token),
            _ => Err(AuthError::MemberOut),
        }
    }

    pub(super) async fn logout(&self, token: &str) -> Result<(), AuthError> {
        let mut tx = self.db.begin().await?;
        sessions::close(&mut tx, token, (self.now)()).await?;
        Ok(tx.commit().await?)
    }

    /// Ends every session of a member; its access tokens are refused from the moment its status says so.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_sessions(&self, member_id: i64) -> Result<u64, sqlx::Error> {
        let mut tx = self.db.begin().await?;
        let ended = sessions::close_all(&mut tx, member_id, (self.now)()).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Deletes one batch of refresh tokens that ended `keep` ago or earlier.
    ///
    /// # Errors
    /// When the run that asks has lost its lease, or the database does not answer.
    pub async fn prune(
        &self,
        keep: TimeDelta,
        batch: u32,
        fence: &dyn Fence,
    ) -> Result<u64, FenceError> {
        let mut tx = self.db.begin().await?;
        let pruned = sessions::prune(&mut tx, (self.now)() - keep, batch).await?;
        fence.check(&mut tx).await?;
        tx.commit().await?;
        Ok(pruned)
    }

    /// The active member of this access token, and when the token ends.
    pub(super) async fn authenticate(
        &self,
        access_token: &str,
    ) -> Result<(Member, DateTime<Utc>), AuthError> {
        let (member_id, expires_at) = match self.tokens.read(access_token, (self.now)()) {
            Verdict::Valid {
                member_id,
                expires_at,
            } => (member_id, expires_at),
            Verdict::Expired => return Err(AuthError::TokenExpired),
            Verdict::Invalid => return Err(AuthError::TokenInvalid),
        };
        // Asked of the database each time, so that a ban counts at once.
        let member = self.members.get(member_id).await?;
        let member = member.ok_or(AuthError::TokenInvalid)?;
        if !member.active() {
            return Err(AuthError::MemberOut);
        }
        Ok((member, expires_at))
    }

    fn sign(&self, member_id: i64, refresh_token: String) -> Result<SignedIn, AuthError> {
        let access_token = self.tokens.issue(member_id, (self.now)())?;
        Ok(SignedIn {
            access_token,
            refresh_token,
        })
    }
}
