//! A member as the database has it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::platform::word::words;

/// A member as the database has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Member id.
    pub id: i64,
    /// Shown name.
    pub name: String,
    /// E-mail address, in lower case.
    pub email: String,
    /// `MEMBER` or `ADMIN`.
    #[schema(value_type = String)]
    pub role: Role,
    /// `ACTIVE`, `BANNED` or `INACTIVE`.
    #[schema(value_type = String)]
    pub status: MemberStatus,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}
ground::from_row!(Member {
    id,
    name,
    email,
    role,
    status,
    created_at
});

impl Member {
    /// Whether the member may use the service.
    pub fn active(&self) -> bool {
        self.status == MemberStatus::Active
    }
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Own things.
    Member,
    /// The operator's console as well.
    Admin,
}

words!(Role in "member" { Member = "MEMBER", Admin = "ADMIN" });

/// Whether a member may use the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MemberStatus {
    /// Yes.
    Active,
    /// No: an operator said so.
    Banned,
    /// No: the account rests.
    Inactive,
}

words!(MemberStatus in "member" { Active = "ACTIVE", Banned = "BANNED", Inactive = "INACTIVE" });

#[cfg(test)]
mod tests {
    use ground::{Database, Statements};
    use sqlx::SqlitePool;

    use super::*;

    async fn read(role: &str, status: &str) -> Result<Option<Member>, sqlx::Error> {
        let db = Database::from(SqlitePool::connect("sqlite::memory:").await.unwrap());
        let row = "SELECT 1 AS id, 'Kim' AS name, 'kim@example.kr' AS email, $1 AS role, $2 AS status, \
             '2026-11-30T00:00:00.000000+00:00' AS created_at";
        db.row(row, vec![role.into(), status.into()]).await
    }

    #[tokio::test]
    async fn a_role_and_a_status_are_read_as_what_they_are() {
        let member = read("ADMIN", "INACTIVE").await.unwrap().unwrap();
        assert_eq!((member.role, member.active()), (Role::Admin, false));
    }

    #[tokio::test]
    async fn an_unknown_role_or_status_is_an_error_that_names_it() {
        for (role, status, place) in [
            (
                "GUEST",
                "ACTIVE",
                "member.role holds the unknown word `GUEST`",
            ),
            (
                "MEMBER",
                "ASLEEP",
                "member.status holds the unknown word `ASLEEP`",
            ),
        ] {
            let error = read(role, status).await.unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
        }
    }
}
