//! Sessions: who is signed in, for how long, and the end of it.

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Connection, Dialects, Statements};

use super::refresh_tokens::{self, RefreshToken, Successors};
use crate::member::{MemberStatus, Role};

/// A session with the refresh token that stands for it.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) session: Session,
    pub(super) token: RefreshToken,
}

/// One sign-in of a member.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) member_id: i64,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}
ground::from_row!(Session {
    id,
    member_id,
    created_at,
    ended_at
});

/// How long sessions and their tokens live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetimes {
    /// A session, however often it is refreshed.
    pub(super) session: TimeDelta,
    /// A refresh token.
    pub(super) refresh: TimeDelta,
    /// A refresh token after its rotation.
    pub(super) grace: TimeDelta,
}

impl Session {
    /// Its last instant, however often it is refreshed.
    pub(super) fn end(&self, lifetimes: Lifetimes) -> DateTime<Utc> {
        self.created_at + lifetimes.session
    }
}

/// What became of a refresh.
#[derive(Debug)]
pub(super) enum Rotation {
    /// The newest token of the session.
    Issued(Issued),
    /// Unknown, expired or revoked.
    Refused,
    /// An old token came back after its grace: somebody else may have it, so the session has ended.
    Reused(Session),
}

/// A session that was ended before its time.
#[derive(Debug)]
pub struct EndedSession {
    /// Session id.
    pub id: String,
    /// Whose it was.
    pub member_id: i64,
}
ground::from_row!(EndedSession { id, member_id });

/// Who stands behind an access token.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) role: Role,
    pub(super) status: MemberStatus,
    session_id: Option<String>,
    ended_at: Option<DateTime<Utc>>,
}
ground::from_row!(Standing {
    role,
    status,
    session_id,
    ended_at
});

impl Standing {
    /// Whether the session that was asked for lives.
    pub(super) fn session_lives(&self) -> bool {
        self.session_id.is_some() && self.ended_at.is_none()
    }
}

const INSERT: &str =
    "INSERT INTO session (id, member_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
// A family from before sessions had rows, or of a node that knows none.
const ADOPT: &str = "INSERT INTO session (id, member_id, created_at, expires_at) \
     SELECT family_id, MIN(member_id), MIN(created_at), MAX(expires_at) FROM refresh_token WHERE family_id = $1 GROUP BY family_id \
     ON CONFLICT (id) DO NOTHING";
// Rotations and the end of one session take turns at its row.
const LOCK: Dialects = Dialects {
    sqlite: "SELECT id, member_id, created_at, ended_at FROM session WHERE id = $1",
    postgres: "SELECT id, member_id, created_at, ended_at FROM session WHERE id = $1 FOR UPDATE",
};
const EXTEND: &str = "UPDATE session SET expires_at = $2 WHERE id = $1";
const END: &str = "UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
const END_ALL: &str = "UPDATE session SET ended_at = $2 WHERE member_id = $1 AND ended_at IS NULL";
const STANDING: &str = "SELECT m.role, m.status, s.id AS session_id, s.ended_at FROM member m \
     LEFT JOIN session s ON s.id = $2 AND s.member_id = m.id WHERE m.id = $1";
const ENDED: &str = "SELECT id, member_id FROM session WHERE ended_at IS NOT NULL AND ended_at > $1 \
     ORDER BY ended_at DESC LIMIT 10000";
/// $1 ended before, $2 how many.
pub(super) const PRUNE: &str = "DELETE FROM session WHERE id IN \
     (SELECT id FROM session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

/// A new session with its first token.
pub(super) async fn open(
    tx: &mut Connection<'_>,
    member_id: i64,
    now: DateTime<Utc>,
    lifetimes: Lifetimes,
) -> Result<Issued, sqlx::Error> {
    let session = Session {
        id: uuid::Uuid::now_v7().to_string(),
        member_id,
        created_at: now,
        ended_at: None,
    };
    let token = RefreshToken::random(now + lifetimes.refresh.min(lifetimes.session));
    let values = vec![
        session.id.clone().into(),
        member_id.into(),
        now.into(),
        token.expires_at.into(),
    ];
    tx.run(INSERT, values).await?;
    refresh_tokens::insert(tx, &session.id, member_id, &token, now).await?;
    Ok(Issued { session, token })
}

/// Exchanges a token for its successor. Whoever repeats that within the grace gets the newest token of the session: all tabs hold one and
/// the same, so a thief's next step and the owner's cannot both go unseen.
pub(super) async fn rotate(
    tx: &mut Connection<'_>,
    token: &str,
    successors: &Successors,
    now: DateTime<Utc>,
    lifetimes: Lifetimes,
) -> Result<Rotation, sqlx::Error> {
    let Some(family) = refresh_tokens::family_of(tx, token).await? else {
        return Ok(Rotation::Refused);
    };
    let Some(session) = lock(tx, &family).await? else {
        return Ok(Rotation::Refused);
    };
    let Some(row) = refresh_tokens::row_of(tx, token).await? else {
        return Ok(Rotation::Refused);
    };
    let end = session.end(lifetimes);
    if session.ended_at.is_some() || end <= now {
        return Ok(Rotation::Refused);
    }
    // An old token is nobody's by now, whether it has expired or not.
    let is_old = row.rotated_at.is_some_and(|at| now - at > lifetimes.grace);
    if !is_old && !row.is_good(now) {
        return Ok(Rotation::Refused);
    }
    let next = match row.rotated_at {
        None => {
            let next = RefreshToken {
                text: successors.of(token),
                expires_at: (now + lifetimes.refresh).min(end),
            };
            if !refresh_tokens::mark_rotated(tx, row.id, now).await? {
                return Ok(Rotation::Refused);
            }
            refresh_tokens::insert(tx, &session.id, session.member_id, &next, now).await?;
            let values = vec![session.id.clone().into(), next.expires_at.into()];
            tx.run(EXTEND, values).await?;
            Some(next)
        }
        Some(_) if is_old => {
            end_locked(tx, &session.id, now).await?;
            return Ok(Rotation::Reused(session));
        }
        Some(_) => refresh_tokens::newest(tx, &session.id, token, successors).await?,
    };
    Ok(next.map_or(Rotation::Refused, |token| {
        Rotation::Issued(Issued { session, token })
    }))
}

async fn lock(tx: &mut Connection<'_>, id: &str) -> Result<Option<Session>, sqlx::Error> {
    if let Some(session) = tx.row::<Session, _>(LOCK, vec![id.into()]).await? {
        return Ok(Some(session));
    }
    tx.run(ADOPT, vec![id.into()]).await?;
    tx.row(LOCK, vec![id.into()]).await
}

async fn end_locked(
    tx: &mut Connection<'_>,
    id: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    tx.run(END, vec![id.into(), now.into()]).await?;
    // Nodes that know no sessions look here.
    refresh_tokens::revoke_family(tx, id, now).await
}

/// Ends the session that this token belongs to. Whether there is one.
pub(super) async fn close(
    tx: &mut Connection<'_>,
    token: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let Some(family) = refresh_tokens::family_of(tx, token).await? else {
        return Ok(false);
    };
    lock(tx, &family).await?;
    end_locked(tx, &family, now).await?;
    Ok(true)
}

/// Ends every session of a member; how many.
pub(super) async fn close_all(
    tx: &mut Connection<'_>,
    member_id: i64,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let ended = tx.run(END_ALL, vec![member_id.into(), now.into()]).await?;
    refresh_tokens::revoke_member(tx, member_id, now).await?;
    Ok(ended)
}

/// A member's role and status, and whether this session of theirs lives: one read of two primary keys.
pub(super) async fn standing(
    c: impl Statements<'_>,
    member_id: i64,
    session_id: &str,
) -> Result<Option<Standing>, sqlx::Error> {
    c.row(STANDING, vec![member_id.into(), session_id.into()])
        .await
}

/// The newest of the sessions that were ended since then.
pub(super) async fn ended_since(
    c: impl Statements<'_>,
    since: DateTime<Utc>,
) -> Result<Vec<EndedSession>, sqlx::Error> {
    c.rows(ENDED, vec![since.into()]).await
}
