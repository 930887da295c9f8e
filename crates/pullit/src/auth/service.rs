use async_trait::async_trait;
use chrono::TimeDelta;
use ground::{Fence, FenceError};

use super::sessions::{self, Rotation};
use super::tokens::{AccessTokens, Verdict};
use crate::member::{CreateMember, MemberError, Members};
use crate::platform::clock::Now;
use crate::platform::db::Db;
use crate::platform::http::{ApiError, Identify, Identity, codes};

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
    ) -> Result<SignedIn, ApiError> {
        let create = CreateMember {
            email,
            name,
            admin: false,
        };
        // In one transaction: a sign-in that is refused leaves no member behind.
        let mut tx = self.db.begin().await?;
        let found = self.members.find_or_create(&mut tx, create).await;
        let (member, made) = found.map_err(refused)?;
        if !member.active() {
            return Err(codes::MEMBER_OUT.into());
        }
        let (now, ttl) = ((self.now)(), self.options.refresh_ttl);
        let issued = sessions::open(&mut tx, member.id, now, ttl).await?;
        tx.commit().await?;
        if made {
            tracing::info!(member = member.id, "a member signed in for the first time");
        }
        self.sign(member.id, issued.token)
    }

    pub(super) async fn refresh(&self, token: &str) -> Result<SignedIn, ApiError> {
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
            Rotation::Refused => return Err(codes::REFRESH_INVALID.into()),
            Rotation::Reused {
                member_id,
                family_id,
            } => {
                tracing::warn!(
                    member = member_id,
                    family = family_id,
                    "a used refresh token came back: its session was ended"
                );
                return Err(codes::REFRESH_INVALID.into());
            }
        };
        match self.members.get(issued.member_id).await? {
            Some(member) if member.active() => self.sign(member.id, issued.token),
            _ => Err(codes::MEMBER_OUT.into()),
        }
    }

    pub(super) async fn logout(&self, token: &str) -> Result<(), ApiError> {
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

    fn sign(&self, member_id: i64, refresh_token: String) -> Result<SignedIn, ApiError> {
        let access_token = self
            .tokens
            .issue(member_id, (self.now)())
            .map_err(|error| {
                tracing::error!(%error, "an access token could not be signed");
                ApiError::new(codes::INTERNAL)
            })?;
        Ok(SignedIn {
            access_token,
            refresh_token,
        })
    }
}

#[async_trait]
impl Identify for Auth {
    async fn identify(&self, access_token: &str) -> Result<Identity, ApiError> {
        let (member_id, expires_at) = match self.tokens.read(access_token, (self.now)()) {
            Verdict::Valid {
                member_id,
                expires_at,
            } => (member_id, expires_at),
            Verdict::Expired => return Err(codes::TOKEN_EXPIRED.into()),
            Verdict::Invalid => return Err(codes::UNAUTHENTICATED.into()),
        };
        // Asked of the database each time, so that a ban counts at once.
        let member = self
            .members
            .get(member_id)
            .await?
            .ok_or(codes::UNAUTHENTICATED)?;
        if !member.active() {
            return Err(codes::MEMBER_OUT.into());
        }
        Ok(Identity {
            member_id,
            role: member.role(),
            expires_at,
        })
    }
}

fn refused(error: MemberError) -> ApiError {
    match error {
        MemberError::Email(_) => ApiError::field("email", "이메일 주소가 아닙니다"),
        MemberError::Name => ApiError::field("name", "1자 이상 100자 이하여야 합니다"),
        MemberError::Taken(_) => ApiError::field("email", "이미 사용 중인 이메일 주소입니다"),
        MemberError::Database(error) => error.into(),
    }
}
