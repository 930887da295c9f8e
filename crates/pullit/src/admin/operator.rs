//! Extractor: the operator who calls.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::platform::http::{ApiError, Caller};

/// Extractor: a caller who is an operator, or the answer 401 or 403. A handler of this room cannot be written without knowing who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    /// The operator's member id, for the log.
    pub(super) id: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.admin()?;
        Ok(Self { id: caller.id() })
    }
}
