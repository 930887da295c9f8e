//! One-time links: how an operator signs in to the console.

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Connection, Statements};

use super::error::AuthError;
use super::refresh_tokens::hash;
use super::secret::hex;
use super::service::{Auth, SignedIn};
use super::sessions;
use crate::member::{CreateMember, Member, Role};

/// How long a link is valid.
const VALID: TimeDelta = TimeDelta::minutes(5);

/// The first operator of an embedded service.
const FIRST_OPERATOR: &str = "operator@localhost";

/// A link that was made. Its token is nowhere else.
pub struct SignInLink {
    /// What `/auth/link?token=` takes, once.
    pub token: String,
    /// Whom it signs in.
    pub member: Member,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

struct Used {
    id: String,
    member_id: i64,
}
ground::from_row!(Used { id, member_id });

// The row stays as the record of who made a link and who used it.
const INSERT: &str = "INSERT INTO sign_in_link (id, token_hash, member_id, made_by, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6)";
// One of many at once finds it unused.
const USE: &str = "UPDATE sign_in_link SET used_at = $2, used_from = $3 \
     WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING id, member_id";
/// $1 made before, $2 how many.
pub(super) const PRUNE: &str = "DELETE FROM sign_in_link WHERE id IN \
     (SELECT id FROM sign_in_link WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

impl Auth {
    /// Makes a link that signs in the member with this address. `made_by` is for the record.
    ///
    /// # Errors
    /// When there is no such active member, or the database does not answer.
    pub async fn make_link(&self, email: &str, made_by: &str) -> Result<SignInLink, AuthError> {
        let mut tx = self.db.begin().await?;
        let member = self.members.find_by_email(&mut tx, email).await?;
        let member = member.ok_or(AuthError::NoMember)?;
        let link = self.link_for(&mut tx, member, made_by).await?;
        tx.commit().await?;
        self.log(&link, made_by);
        Ok(link)
    }

    /// Makes a link for the first operator, and the operator, if there is none yet. Nothing, when that address is somebody else's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn make_first_link(&self, made_by: &str) -> Result<Option<SignInLink>, AuthError> {
        let mut tx = self.db.begin().await?;
        let operator = match self.members.first_operator(&mut tx).await? {
            Some(operator) => operator,
            None => {
                let create = CreateMember {
                    email: FIRST_OPERATOR.to_owned(),
                    name: None,
                    admin: true,
                };
                self.members.find_or_create(&mut tx, create).await?.0
            }
        };
        if operator.role != Role::Admin || !operator.active() {
            tracing::warn!(
                member = operator.id,
                "no sign-in link was made: {FIRST_OPERATOR} is a member who is no operator; make one with `pullit members create --admin`"
            );
            return Ok(None);
        }
        let link = self.link_for(&mut tx, operator, made_by).await?;
        tx.commit().await?;
        self.log(&link, made_by);
        Ok(Some(link))
    }

    async fn link_for(
        &self,
        tx: &mut Connection<'_>,
        member: Member,
        made_by: &str,
    ) -> Result<SignInLink, AuthError> {
        if !member.active() {
            return Err(AuthError::MemberOut);
        }
        let random: [u8; 32] = rand::random();
        let (token, now) = (hex(&random), (self.now)());
        let expires_at = now + VALID;
        let values = vec![
            uuid::Uuid::now_v7().to_string().into(),
            hash(&token).into(),
            member.id.into(),
            made_by.into(),
            now.into(),
            expires_at.into(),
        ];
        tx.run(INSERT, values).await?;
        Ok(SignInLink {
            token,
            member,
            expires_at,
        })
    }

    fn log(&self, link: &SignInLink, made_by: &str) {
        tracing::info!(member = link.member.id, made_by, until = %link.expires_at, "a sign-in link was made");
    }

    /// Signs in the member of this link and uses the link up.
    pub(super) async fn follow_link(
        &self,
        token: &str,
        from: Option<String>,
    ) -> Result<SignedIn, AuthError> {
        let now = (self.now)();
        let mut tx = self.db.begin().await?;
        let values = vec![hash(token).into(), now.into(), from.into()];
        let used: Option<Used> = tx.row(USE, values).await?;
        let used = used.ok_or(AuthError::LinkGone)?;
        let member = self.members.find(&mut tx, used.member_id).await?;
        if !member.is_some_and(|member| member.active()) {
            return Err(AuthError::MemberOut);
        }
        let lifetimes = self.options.lifetimes();
        let issued = sessions::open(&mut tx, used.member_id, now, lifetimes).await?;
        tx.commit().await?;
        tracing::info!(
            member = used.member_id,
            link = used.id,
            session = issued.session.id,
            "a sign-in link was used"
        );
        self.sign(issued)
    }
}
