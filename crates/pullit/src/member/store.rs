//! The statements on `member`.

use chrono::{DateTime, Utc};
use ground::{Dialects, Statements, Value};

use super::model::{Member, MemberStatus, Role};

const BY_ID: &str = "SELECT id, name, email, role, status, created_at FROM member WHERE id = $1";
const BY_EMAIL: &str =
    "SELECT id, name, email, role, status, created_at FROM member WHERE email = $1";
// The unique e-mail decides between two sign-ins at once: the loser finds the winner's row.
const INSERT: &str = "INSERT INTO member (name, email, role, status, created_at) \
     VALUES ($1, $2, $3, 'ACTIVE', $4) ON CONFLICT (email) DO NOTHING";
const SET_STATUS: &str = "UPDATE member SET status = $2 WHERE id = $1";
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
pub(super) async fn set_status(
    c: impl Statements<'_>,
    id: i64,
    status: MemberStatus,
) -> Result<bool, sqlx::Error> {
    Ok(c.run(SET_STATUS, vec![id.into(), status.name().into()])
        .await?
        == 1)
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
