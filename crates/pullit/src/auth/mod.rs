//! Sign-in: access tokens, refresh tokens, the development sign-in.

pub mod http;
mod proxy;
mod secret;
mod service;
mod sessions;
mod tokens;

pub use secret::{SecretError, Secrets};
pub(crate) use secret::{hex, hmac};
pub use service::{Auth, AuthOptions};
pub use tokens::AccessTokens;
