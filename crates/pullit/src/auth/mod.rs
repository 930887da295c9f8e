//! Sign-in: access tokens, refresh tokens, the development sign-in.

mod hs256;
pub mod http;
mod proxy;
mod secret;
mod service;
mod sessions;
mod tokens;

pub(crate) use secret::hex;
pub use secret::{SecretError, Secrets};
pub use service::{Auth, AuthOptions};
pub use tokens::AccessTokens;
