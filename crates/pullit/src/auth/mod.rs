//! Sign-in: access tokens, refresh tokens, the development sign-in.

mod error;
mod hs256;
pub mod http;
mod links;
mod refresh_tokens;
mod secret;
mod service;
mod sessions;
mod tokens;

pub use error::AuthError;
pub use links::SignInLink;
pub(crate) use secret::hex;
pub use secret::{SecretError, Secrets};
pub use service::{Auth, AuthHistory, AuthOptions};
pub use sessions::EndedSession;
pub use tokens::AccessTokens;
