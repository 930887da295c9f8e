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
