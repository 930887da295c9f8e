//! `pullit members`: makes accounts, and links that sign in.

use clap::Subcommand;
use serde_json::json;

use super::{Failure, Start, print};
use crate::app::public_url;
use crate::auth::AuthError;
use crate::member::{CreateMember, MemberError};

/// `pullit members …`
#[derive(Debug, Subcommand)]
pub(super) enum MembersCommand {
    /// Make a member.
    Create {
        /// E-mail address.
        #[arg(long)]
        email: String,
        /// Shown name.
        #[arg(long)]
        name: String,
        /// An operator, who may use the console.
        #[arg(long)]
        admin: bool,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Make a link that signs a member in to the console: once, within five minutes.
    Link {
        /// E-mail address of the member.
        #[arg(long)]
        email: String,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

impl MembersCommand {
    pub(super) async fn run(self, start: &Start) -> Result<(), Failure> {
        match self {
            Self::Create {
                email,
                name,
                admin,
                json,
            } => {
                let create = CreateMember {
                    email,
                    name: Some(name),
                    admin,
                };
                make(start, create, json).await
            }
            Self::Link { email, json } => link(start, &email, json).await,
        }
    }
}

async fn make(start: &Start, create: CreateMember, json: bool) -> Result<(), Failure> {
    let app = start.app().await?;
    let made = app.members.create(create).await;
    app.close().await;
    let member = made.map_err(|error| match error {
        MemberError::Email(_) | MemberError::Name => Failure::Usage(error.to_string()),
        error => Failure::of(error),
    })?;
    if json {
        return print::json(&member);
    }
    print::line(&format!(
        "Member {} ({}, {}) is made.",
        member.id,
        member.email,
        member.role.name()
    ));
    Ok(())
}

async fn link(start: &Start, email: &str, as_json: bool) -> Result<(), Failure> {
    let app = start.app().await?;
    let (url, node) = (public_url(&app.config), app.config.node_id.clone());
    let made = app.auth.make_link(email, &node).await;
    app.close().await;
    let link = made.map_err(|error| match error {
        AuthError::NoMember => Failure::Failed(format!(
            "there is no member with the e-mail address {email}"
        )),
        error => Failure::of(error),
    })?;
    let url = format!("{url}/auth/link?token={}", link.token);
    if as_json {
        return print::json(&json!({
            "url": url,
            "memberId": link.member.id,
            "expiresAt": link.expires_at,
        }));
    }
    print::line(&url);
    print::line(&format!(
        "It signs in {} ({}) once, within five minutes.",
        link.member.email,
        link.member.role.name()
    ));
    Ok(())
}
