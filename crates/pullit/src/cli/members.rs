//! `pullit members`: makes accounts.

use clap::Subcommand;

use super::{Failure, Start, print};
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
}

impl MembersCommand {
    pub(super) async fn run(self, start: &Start) -> Result<(), Failure> {
        let Self::Create {
            email,
            name,
            admin,
            json,
        } = self;
        let app = start.app().await?;
        let create = CreateMember {
            email,
            name: Some(name),
            admin,
        };
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
}
