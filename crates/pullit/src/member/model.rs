use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::platform::http::Role;

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
    pub role: String,
    /// `ACTIVE`, `BANNED` or `INACTIVE`.
    pub status: String,
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
    /// What the member may do.
    pub fn role(&self) -> Role {
        match self.role.as_str() {
            "ADMIN" => Role::Admin,
            _ => Role::Member,
        }
    }

    /// Whether the member may use the service.
    pub fn active(&self) -> bool {
        self.status == MemberStatus::Active.name()
    }
}

/// Whether a member may use the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberStatus {
    /// Yes.
    Active,
    /// No: an operator said so.
    Banned,
}

impl MemberStatus {
    /// The word in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Banned => "BANNED",
        }
    }
}
