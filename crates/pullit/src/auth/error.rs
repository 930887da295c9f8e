//! Why somebody is not signed in.

use thiserror::Error;

use crate::member::MemberError;

/// Why a sign-in, a refresh or an access token was refused.
#[derive(Debug, Error)]
pub enum AuthError {
    /// The access token is not ours, or its member is gone.
    #[error("the access token is not valid")]
    TokenInvalid,
    /// The access token has expired.
    #[error("the access token has expired")]
    TokenExpired,
    /// The refresh token is unknown, expired, revoked or was used before.
    #[error("the refresh token is not valid")]
    RefreshInvalid,
    /// The member is banned or no longer active.
    #[error("the member may not use the service")]
    MemberOut,
    /// The development sign-in signs in no operators.
    #[error("operators sign in by a one-time link")]
    Operator,
    /// The one-time link was used, has expired, or never was.
    #[error("the sign-in link is not valid any more")]
    LinkGone,
    /// There is no member with this e-mail address.
    #[error("there is no member with this e-mail address")]
    NoMember,
    /// The member cannot be found or made.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// No access token could be signed.
    #[error("an access token could not be signed: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
