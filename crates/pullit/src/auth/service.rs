//! Sign-in, refresh and sign-out, and who stands behind an access token.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Fence, FenceError, Statements};

use super::error::AuthError;
use super::links;
use super::refresh_tokens::{self, RefreshToken, Successors};
use super::secret::Secrets;
use super::sessions::{self, EndedSession, Issued, Lifetimes, Rotation};
use super::tokens::{AccessTokens, Verdict};
use crate::member::{CreateMember, MemberStatus, Members, Role};
use crate::platform::clock::Now;
use crate::platform::db::Db;

/// How sign-in is set up.
#[derive(Clone, Debug)]
pub struct AuthOptions {
    /// Whether an e-mail address alone signs in.
    pub dev_login: bool,
    /// Whether we listen on this machine alone, and browsers reach us there.
    pub is_local: bool,
    /// Origins of pages that may use the refresh cookie, besides our own.
    pub origins: Arc<[String]>,
    /// How long an access token lives.
    pub access_ttl: TimeDelta,
    /// How long a refresh token lives.
    pub refresh_ttl: TimeDelta,
    /// How long a rotated refresh token is still taken.
    pub refresh_grace: TimeDelta,
    /// How long a session lives, however often it is refreshed.
    pub session_ttl: TimeDelta,
    /// Whether browsers reach us under https, so that the cookie must stay on it.
    pub secure_cookie: bool,
}

impl AuthOptions {
    /// The defaults of the service, for a node that nobody reaches from outside.
    #[cfg(test)]
    pub(crate) fn of_tests() -> Self {
        Self {
            dev_login: false,
            is_local: false,
            origins: Arc::default(),
            access_ttl: TimeDelta::minutes(15),
            refresh_ttl: TimeDelta::days(14),
            refresh_grace: TimeDelta::seconds(10),
            session_ttl: TimeDelta::days(90),
            secure_cookie: false,
        }
    }

    pub(super) fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            session: self.session_ttl,
            refresh: self.refresh_ttl,
            grace: self.refresh_grace,
        }
    }
}

/// What the room keeps for a while after its end.
#[derive(Clone, Copy, Debug)]
pub enum AuthHistory {
    /// Refresh tokens, from when they expire.
    Tokens,
    /// Sessions, from when their last token expires.
    Sessions,
    /// Sign-in links, from when they were made.
    Links,
}

/// A fresh pair of tokens.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) access_token: String,
    pub(super) refresh_token: RefreshToken,
}

/// An active member with a living session.
#[derive(Debug)]
pub(super) struct Authenticated {
    pub(super) member_id: i64,
    pub(super) role: Role,
    pub(super) expires_at: DateTime<Utc>,
}

/// The sign-in room.
#[derive(Clone)]
pub struct Auth {
    pub(super) db: Db,
    pub(super) now: Now,
    pub(super) members: Members,
    tokens: AccessTokens,
    successors: Successors,
    pub(super) options: AuthOptions,
}

impl Auth {
    /// The room, on its database, clock and secret.
    pub fn new(
        db: Db,
        now: Now,
        members: Members,
        secrets: &Secrets,
        options: AuthOptions,
    ) -> Self {
        Self {
            db,
            now,
            members,
            tokens: AccessTokens::new(secrets, options.access_ttl),
            successors: Successors::new(secrets),
            options,
        }
    }

    /// How long a cookie with this token lives, in seconds begun.
    pub(super) fn seconds_left(&self, token: &RefreshToken) -> i64 {
        let left = (token.expires_at - (self.now)()).num_milliseconds();
        (left.max(0) + 999) / 1000
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
        // Whatever passes for a local request, it makes nobody an operator.
        if member.role == Role::Admin {
            return Err(AuthError::Operator);
        }
        let lifetimes = self.options.lifetimes();
        let issued = sessions::open(&mut tx, member.id, (self.now)(), lifetimes).await?;
        tx.commit().await?;
        if made {
            tracing::info!(member = member.id, "a member signed in for the first time");
        }
        self.sign(issued)
    }

    pub(super) async fn refresh(&self, token: &str) -> Result<SignedIn, AuthError> {
        let (now, lifetimes) = ((self.now)(), self.options.lifetimes());
        let mut tx = self.db.begin().await?;
        let rotation = sessions::rotate(&mut tx, token, &self.successors, now, lifetimes).await?;
        let issued = match rotation {
            Rotation::Issued(issued) => issued,
            Rotation::Refused => return Err(AuthError::RefreshInvalid),
            Rotation::Reused(session) => {
                tx.commit().await?;
                tracing::warn!(
                    member = session.member_id,
                    session = session.id,
                    "a used refresh token came back: its session was ended"
                );
                return Err(AuthError::RefreshInvalid);
            }
        };
        // In the same transaction: the token of a member who is out is not used up.
        let member = self.members.find(&mut tx, issued.session.member_id).await?;
        if !member.is_some_and(|member| member.active()) {
            return Err(AuthError::MemberOut);
        }
        tx.commit().await?;
        self.sign(issued)
    }

    pub(super) async fn logout(&self, token: &str) -> Result<(), AuthError> {
        let mut tx = self.db.begin().await?;
        sessions::close(&mut tx, token, (self.now)()).await?;
        Ok(tx.commit().await?)
    }

    /// Bans a member: status and sessions end together, and with them all access tokens, on every node. How many sessions ended; nothing
    /// when there is no such member. May be repeated.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ban(&self, member_id: i64) -> Result<Option<u64>, sqlx::Error> {
        let mut tx = self.db.begin().await?;
        // The status first: from then on no new session can begin.
        if !self.members.ban(&mut tx, member_id).await? {
            return Ok(None);
        }
        let ended = sessions::close_all(&mut tx, member_id, (self.now)()).await?;
        tx.commit().await?;
        Ok(Some(ended))
    }

    /// Gives a banned member the status of before, and no session: whoever comes back signs in. Whether the member was banned.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unban(&self, member_id: i64) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin().await?;
        let unbanned = self.members.unban(&mut tx, member_id).await?;
        if unbanned {
            // A ban by a script ended none.
            sessions::close_all(&mut tx, member_id, (self.now)()).await?;
        }
        tx.commit().await?;
        Ok(unbanned)
    }

    /// The sessions that were ended within this time, by a sign-out, a ban, or a refresh token that came back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ended_within(&self, time: TimeDelta) -> Result<Vec<EndedSession>, sqlx::Error> {
        sessions::ended_since(self.db.read(), (self.now)() - time).await
    }

    /// Deletes one batch of what ended `keep` ago or earlier.
    ///
    /// # Errors
    /// When the run that asks has lost its lease, or the database does not answer.
    pub async fn prune(
        &self,
        history: AuthHistory,
        keep: TimeDelta,
        batch: u32,
        fence: &dyn Fence,
    ) -> Result<u64, FenceError> {
        let statement = match history {
            AuthHistory::Tokens => refresh_tokens::PRUNE,
            AuthHistory::Sessions => sessions::PRUNE,
            AuthHistory::Links => links::PRUNE,
        };
        let values = vec![((self.now)() - keep).into(), i64::from(batch).into()];
        let mut tx = self.db.begin().await?;
        let pruned = tx.run(statement, values).await?;
        fence.check(&mut tx).await?;
        tx.commit().await?;
        Ok(pruned)
    }

    /// The active member of this access token, if its session lives.
    pub(super) async fn authenticate(
        &self,
        access_token: &str,
    ) -> Result<Authenticated, AuthError> {
        let (member_id, session_id, expires_at) = match self.tokens.read(access_token, (self.now)())
        {
            Verdict::Valid {
                member_id,
                session_id,
                expires_at,
            } => (member_id, session_id, expires_at),
            Verdict::Expired => return Err(AuthError::TokenExpired),
            Verdict::Invalid => return Err(AuthError::TokenInvalid),
        };
        // Asked of the database each time, so that a ban or a sign-out counts at once, on every node.
        let session = session_id.as_deref().unwrap_or_default();
        let standing = sessions::standing(self.db.read(), member_id, session).await?;
        let standing = standing.ok_or(AuthError::TokenInvalid)?;
        if standing.status != MemberStatus::Active {
            return Err(AuthError::MemberOut);
        }
        // During a deploy there are tokens of nodes that know no sessions. They live as long as they did.
        if session_id.is_some() && !standing.session_lives() {
            return Err(AuthError::TokenInvalid);
        }
        Ok(Authenticated {
            member_id,
            role: standing.role,
            expires_at,
        })
    }

    pub(super) fn sign(&self, issued: Issued) -> Result<SignedIn, AuthError> {
        let session = &issued.session;
        let end = session.end(self.options.lifetimes());
        let access_token = self
            .tokens
            .issue(session.member_id, &session.id, end, (self.now)())?;
        Ok(SignedIn {
            access_token,
            refresh_token: issued.token,
        })
    }
}
