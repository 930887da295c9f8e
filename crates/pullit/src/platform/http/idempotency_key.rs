//! `Idempotency-Key` at the edge: the header in, and the answers of those that cannot be used.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{ApiError, codes};
use crate::platform::idempotency::OnceError;

/// Extractor: the `Idempotency-Key` header, if there is one.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        match value.to_str() {
            Ok(key) if !key.trim().is_empty() && key.len() <= 255 => {
                Ok(Self(Some(key.trim().to_owned())))
            }
            _ => Err(ApiError::field(
                "Idempotency-Key",
                "1자 이상 255자 이하의 ASCII 문자열이어야 합니다",
            )),
        }
    }
}

impl From<OnceError> for ApiError {
    fn from(error: OnceError) -> Self {
        match error {
            OnceError::Reused => codes::IDEMPOTENCY_REUSED.into(),
            OnceError::Busy => codes::UNAVAILABLE.into(),
            OnceError::Json(error) => {
                tracing::error!(%error, "a request could not be remembered, or its answer not be read");
                codes::INTERNAL.into()
            }
            OnceError::Database(error) => error.into(),
        }
    }
}
