//! What a request carries: the caller, a JSON body, identifiers, a query.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ApiError, MAX_BODY, codes};
use crate::member::Role;

/// Who calls: an active member with a valid access token.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Member id.
    pub member_id: i64,
    /// Role, as the database has it now.
    pub role: Role,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
}

/// Tells who stands behind an access token. The sign-in room implements it; the router puts it into every request.
#[async_trait]
pub trait Identify: Send + Sync {
    /// The member of this access token.
    async fn identify(&self, access_token: &str) -> Result<Identity, ApiError>;
}

/// Extractor: the caller, or the answer 401 or 403.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub Identity);

impl Caller {
    /// The caller's member id.
    pub fn id(&self) -> i64 {
        self.0.member_id
    }

    /// Only operators go on.
    ///
    /// # Errors
    /// `A_005` for everybody else.
    pub fn admin(&self) -> Result<(), ApiError> {
        match self.0.role {
            Role::Admin => Ok(()),
            Role::Member => Err(codes::FORBIDDEN.into()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let token = bearer(parts).ok_or(codes::UNAUTHENTICATED)?;
        let identify = parts
            .extensions
            .get::<Arc<dyn Identify>>()
            .cloned()
            .ok_or(codes::INTERNAL)?;
        identify.identify(&token).await.map(Caller)
    }
}

fn bearer(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

/// A JSON body, in and out. What cannot be read is answered with the field that is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers().get(header::CONTENT_TYPE)) {
            return Err(codes::MEDIA_TYPE.into());
        }
        let body = to_bytes(request.into_body(), MAX_BODY)
            .await
            .map_err(|_| ApiError::new(codes::TOO_LARGE))?;
        parse(&body).map(Json)
    }
}

/// `application/json` or `application/…+json`. A page of another site can send any other type, and none, without asking first.
fn is_json(kind: Option<&HeaderValue>) -> bool {
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/")
        .is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data if path != "." => {
                ApiError::field(path, "값의 형식이 올바르지 않습니다")
            }
            serde_json::error::Category::Data => {
                ApiError::field("$", "요청 본문의 형식이 올바르지 않습니다")
            }
            _ => ApiError::new(codes::NOT_JSON),
        }
    })?;
    deserializer
        .end()
        .map_err(|_| ApiError::new(codes::NOT_JSON))?;
    Ok(parsed)
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The id in the path. What is no id is nothing that exists: 404.
#[derive(Clone, Copy, Debug)]
pub struct PathId(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::new(codes::NOT_FOUND))?;
        text.parse()
            .map(PathId)
            .map_err(|_| codes::NOT_FOUND.into())
    }
}

/// Query parameters; what cannot be read is answered with the parameter's name.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|query| Query(query.0))
            .map_err(|rejection| {
                debug_assert_eq!(rejection.status(), StatusCode::BAD_REQUEST);
                let parameter = parameter_of(&rejection);
                ApiError::field(
                    parameter.unwrap_or_else(|| "query".to_owned()),
                    "값의 형식이 올바르지 않습니다",
                )
            })
    }
}

/// The parameter that could not be read; axum keeps it at the root of its error.
fn parameter_of(rejection: &(dyn std::error::Error + 'static)) -> Option<String> {
    type Named = serde_path_to_error::Error<serde::de::value::Error>;
    std::iter::successors(Some(rejection), |error| error.source())
        .find_map(|error| error.downcast_ref::<Named>())
        .map(|named| named.path().to_string())
        .filter(|path| path != ".")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Ask {
        #[serde(default)]
        source_ids: Option<Vec<i64>>,
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_by_its_path() {
        let error = parse::<Ask>(br#"{"sourceIds":[1,"two"]}"#).unwrap_err();
        assert_eq!(error.code, codes::INVALID);
        assert_eq!(error.errors[0].field, "sourceIds[1]");
    }

    #[test]
    fn what_is_not_json_is_told_apart_from_what_does_not_fit() {
        for body in [&b"not json"[..], b"", b"{\"sourceIds\":[1]", b"{} {}"] {
            assert_eq!(parse::<Ask>(body).unwrap_err().code, codes::NOT_JSON);
        }
        assert_eq!(parse::<Ask>(b"3").unwrap_err().code, codes::INVALID);
        assert_eq!(parse::<Ask>(b"{\"more\":1}").unwrap().source_ids, None);
    }
}
