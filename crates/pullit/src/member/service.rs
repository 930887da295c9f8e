//! What can be done with members: find, make, list, let in and keep out.

use std::collections::HashSet;

use ground::Connection;
use thiserror::Error;

use super::model::{Member, Role};
use super::store;
use crate::platform::clock::Now;
use crate::platform::db::Db;

/// Why a member cannot be made.
#[derive(Debug, Error)]
pub enum MemberError {
    /// Not an e-mail address.
    #[error("`{0}` is not an e-mail address")]
    Email(String),
    /// Empty, longer than 100 characters, or with control characters.
    #[error("a name has 1 to 100 characters")]
    Name,
    /// Somebody has it already.
    #[error("there is a member with the e-mail address {0} already")]
    Taken(String),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A member to make.
#[derive(Clone, Debug)]
pub struct CreateMember {
    /// E-mail address; kept in lower case.
    pub email: String,
    /// Shown name; without one, the part of the address before the `@`.
    pub name: Option<String>,
    /// Whether the member is an operator.
    pub admin: bool,
}

/// The members of the service.
#[derive(Clone)]
pub struct Members {
    db: Db,
    now: Now,
}

impl Members {
    /// The room, on its database and clock.
    pub fn new(db: Db, now: Now) -> Self {
        Self { db, now }
    }

    /// One member.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn get(&self, id: i64) -> Result<Option<Member>, sqlx::Error> {
        store::by_id(self.db.read(), id).await
    }

    /// A page of members in id order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn page(&self, after: i64, limit: u32) -> Result<Vec<Member>, sqlx::Error> {
        store::page(self.db.read(), after, limit.clamp(1, 500)).await
    }

    /// Those of these members who may use the service now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn active(&self, ids: &[i64]) -> Result<HashSet<i64>, sqlx::Error> {
        let active = store::active(self.db.read(), ids).await?;
        Ok(active.into_iter().collect())
    }

    /// Makes a member.
    ///
    /// # Errors
    /// When the address or the name cannot be used, or the address is taken.
    pub async fn create(&self, create: CreateMember) -> Result<Member, MemberError> {
        let mut tx = self.db.begin().await?;
        let (member, made) = self.find_or_create(&mut tx, create).await?;
        tx.commit().await?;
        if made {
            Ok(member)
        } else {
            Err(MemberError::Taken(member.email))
        }
    }

    /// The member with this address, made in the caller's transaction if there is none; and whether it was made now.
    ///
    /// # Errors
    /// When the address or the name cannot be used.
    pub async fn find_or_create(
        &self,
        tx: &mut Connection<'_>,
        create: CreateMember,
    ) -> Result<(Member, bool), MemberError> {
        let email = email(&create.email)?;
        let name = match create.name {
            Some(name) => self::name(&name)?,
            None => email.split('@').next().unwrap_or_default().to_owned(),
        };
        let role = if create.admin {
            Role::Admin
        } else {
            Role::Member
        };
        let made = store::insert(&mut *tx, &name, &email, role, (self.now)()).await?;
        let member = store::by_email(tx, &email)
            .await?
            .ok_or_else(|| ground::unexpected(format!("the member {email} vanished")))?;
        Ok((member, made))
    }

    /// One member, as the caller's transaction sees it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(
        &self,
        tx: &mut Connection<'_>,
        id: i64,
    ) -> Result<Option<Member>, sqlx::Error> {
        store::by_id(tx, id).await
    }

    /// The member with this address, as the caller's transaction sees it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_by_email(
        &self,
        tx: &mut Connection<'_>,
        email: &str,
    ) -> Result<Option<Member>, sqlx::Error> {
        store::by_email(tx, &email.trim().to_lowercase()).await
    }

    /// The operator with the smallest id who may use the service, as the caller's transaction sees it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first_operator(
        &self,
        tx: &mut Connection<'_>,
    ) -> Result<Option<Member>, sqlx::Error> {
        store::first_operator(tx).await
    }

    /// Bans a member in the caller's transaction, and remembers the status of before. Whether there is such a member.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ban(&self, tx: &mut Connection<'_>, id: i64) -> Result<bool, sqlx::Error> {
        store::ban(tx, id).await
    }

    /// Gives a banned member the status of before, in the caller's transaction. Whether the member was banned.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unban(&self, tx: &mut Connection<'_>, id: i64) -> Result<bool, sqlx::Error> {
        store::unban(tx, id).await
    }
}

/// A rough check that catches slips; only a message sent there would prove an address.
fn email(text: &str) -> Result<String, MemberError> {
    let email = text.trim().to_lowercase();
    let wrong = || MemberError::Email(text.to_owned());
    let (local, domain) = email.split_once('@').ok_or_else(wrong)?;
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '@';
    if local.is_empty()
        || local.chars().count() > 64
        || domain.is_empty()
        || domain.starts_with('.')
        || domain.ends_with('.')
        || email.len() > 254
        || local.contains(bad)
        || domain.contains(bad)
    {
        return Err(wrong());
    }
    Ok(email)
}

fn name(text: &str) -> Result<String, MemberError> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
        return Err(MemberError::Name);
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::email;

    #[test]
    fn addresses_are_kept_in_lower_case_and_slips_are_caught() {
        assert_eq!(email(" Kim@Example.KR ").unwrap(), "kim@example.kr");
        for slip in [
            "",
            "kim",
            "@example.kr",
            "kim@",
            "kim@@example.kr",
            "k im@example.kr",
            "kim@.kr",
        ] {
            assert!(email(slip).is_err(), "{slip}");
        }
    }
}
