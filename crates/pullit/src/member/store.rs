//! The statements on `member`.

use chrono::{DateTime, Utc};
use ground::{Dialects, Statements, Value};

use super::model::{Member, Role};

const BY_ID: &str = "SELECT id, name, email, role, status, created_at FROM member WHERE id = $1";
const BY_EMAIL: &str =
    "SELECT id, name, email, role, status, created_at FROM member WHERE email = $1";
const FIRST_OPERATOR: &str = "SELECT id, name, email, role, status, created_at FROM member \
     WHERE role = 'ADMIN' AND status = 'ACTIVE' ORDER BY id LIMIT 1";
// The unique e-mail decides between two sign-ins at once: the loser finds the winner's row.
const INSERT: &str = "INSERT INTO member (name, email, role, status, created_at) \
     VALUES ($1, $2, $3, 'ACTIVE', $4) ON CONFLICT (email) DO NOTHING";
// A second ban remembers what the first one did.
const BAN: &str = "UPDATE member SET status = 'BANNED', \
     status_before_ban = CASE WHEN status = 'BANNED' THEN status_before_ban ELSE status END WHERE id = $1";
// A ban by a script remembers nothing.
const UNBAN: &str = "UPDATE member SET status = COALESCE(status_before_ban, 'ACTIVE'), status_before_ban = NULL \
     WHERE id = $1 AND status = 'BANNED'";
const PAGE: &str = "SELECT id, name, email, role, status, created_at FROM member \
     WHERE id > $1 ORDER BY id LIMIT $2";

const ACTIVE: Dialects = Dialects {
    sqlite: "SELECT id FROM member WHERE status = 'ACTIVE' AND id IN (SELECT value FROM json_each($1))",
    postgres: "SELECT id FROM member WHERE status = 'ACTIVE' \
         AND id = ANY ($1)",
};

pub(super) async fn by_id(c: impl Statements<'_>, id: i64) -> Result<Option<Member>, sqlx::Error> {
    c.row(BY_ID, vec![id.into()]).await
}

pub(super) async fn by_email(
    c: impl Statements<'_>,
    email: &str,
) -> Result<Option<Member>, sqlx::Error> {
    c.row(BY_EMAIL, vec![email.into()]).await
}

pub(super) async fn first_operator(c: impl Statements<'_>) -> Result<Option<Member>, sqlx::Error> {
    c.row(FIRST_OPERATOR, Vec::new()).await
}

/// Whether this call made the member.
pub(super) async fn insert(
    c: impl Statements<'_>,
    name: &str,
    email: &str,
    role: Role,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![name.into(), email.into(), role.name().into(), now.into()];
    Ok(c.run(INSERT, values).await? == 1)
}

/// Whether there is such a member.
pub(super) async fn ban(c: impl Statements<'_>, id: i64) -> Result<bool, sqlx::Error> {
    Ok(c.run(BAN, vec![id.into()]).await? == 1)
}

/// Whether the member was banned.
pub(super) async fn unban(c: impl Statements<'_>, id: i64) -> Result<bool, sqlx::Error> {
    Ok(c.run(UNBAN, vec![id.into()]).await? == 1)
}

pub(super) async fn page(
    c: impl Statements<'_>,
    after: i64,
    limit: u32,
) -> Result<Vec<Member>, sqlx::Error> {
    c.rows(PAGE, vec![after.into(), i64::from(limit).into()])
        .await
}

/// Those of these members who may use the service.
pub(super) async fn active(c: impl Statements<'_>, ids: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
    c.scalars(ACTIVE, vec![Value::ids(ids)]).await
}
