//! `/auth/…` and the doors of other sign-in services.

mod local;
mod quota;
mod same_site;

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use quota::Client;
pub use quota::Quotas;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::AuthError;
use super::refresh_tokens::RefreshToken;
use super::service::{Auth, SignedIn};
use crate::member::MemberError;
use crate::platform::http::{ApiError, Fields, Identify, Identity, Json, Query, codes};

/// The cookie of the refresh token.
const REFRESH_COOKIE: &str = "refresh_token";

/// Where a one-time link leads.
const CONSOLE: HeaderValue = HeaderValue::from_static("/admin");

/// The routes of the room.
pub fn routes(auth: Auth, quotas: Arc<Quotas>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(dev_login))
        .routes(routes!(link))
        .routes(routes!(kakao))
        .routes(routes!(kakao_callback))
        .layer(middleware::from_fn_with_state(quotas, quota::within_quota))
        .with_state(auth)
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    /// Bearer token for `Authorization`; lives 15 minutes.
    access_token: String,
}

/// Exchanges the refresh cookie for a new access token and a new refresh cookie.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth",
    responses((status = 200, body = AccessToken), (status = 401, description = "A_003"), (status = 403, description = "A_004, A_008"),
        (status = 429, description = "C_012")))]
async fn refresh(State(auth): State<Auth>, headers: HeaderMap) -> Result<Response, ApiError> {
    same_site::check(&headers, &auth.options.origins)?;
    let token = cookie(&headers).ok_or(codes::REFRESH_INVALID)?;
    let signed_in = auth.refresh(&token).await?;
    Ok(answer(&auth, signed_in))
}

/// Ends the session of the refresh cookie and clears the cookie.
#[utoipa::path(post, path = "/auth/logout", tag = "auth",
    responses((status = 200), (status = 403, description = "A_008")))]
async fn logout(State(auth): State<Auth>, headers: HeaderMap) -> Result<Response, ApiError> {
    same_site::check(&headers, &auth.options.origins)?;
    if let Some(token) = cookie(&headers) {
        auth.logout(&token).await?;
    }
    Ok(([(SET_COOKIE, set_cookie(&auth, "", 0))], ()).into_response())
}

#[derive(Debug, Deserialize, ToSchema)]
struct DevLogin {
    #[schema(required)]
    email: Option<String>,
    name: Option<String>,
}

/// Signs in with an e-mail address alone; for development on one's own machine only, and never for an operator.
#[utoipa::path(post, path = "/auth/dev-login", tag = "auth", request_body = DevLogin,
    responses((status = 200, body = AccessToken), (status = 400, description = "C_002, C_003"),
        (status = 403, description = "A_004, A_006, A_008, A_009"), (status = 404, description = "C_004: switched off"),
        (status = 429, description = "C_012")))]
async fn dev_login(
    State(auth): State<Auth>,
    request: Parts,
    body: Result<Json<DevLogin>, ApiError>,
) -> Result<Response, ApiError> {
    if !auth.options.dev_login {
        return Err(codes::NOT_FOUND.into());
    }
    if !auth.options.is_local || !local::is_local(&request) {
        return Err(codes::DEV_LOGIN_PROXIED.into());
    }
    same_site::check(&request.headers, &auth.options.origins)?;
    let Json(body) = body?;
    let mut fields = Fields::new();
    let email = fields.text("email", body.email, 254);
    fields.check()?;
    let signed_in = auth.dev_login(email.unwrap_or_default(), body.name).await?;
    Ok(answer(&auth, signed_in))
}

#[derive(Debug, Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

/// Signs in by a one-time link of `pullit members link`, and leads to the console. The link is used up.
#[utoipa::path(get, path = "/auth/link", tag = "auth", params(("token" = String, Query)),
    responses((status = 302, description = "to the console, with the refresh cookie"), (status = 403, description = "A_004"),
        (status = 410, description = "A_010"), (status = 429, description = "C_012"), (status = 503, description = "C_008: a browser that looks ahead")))]
async fn link(
    State(auth): State<Auth>,
    request: Parts,
    Query(link): Query<Link>,
) -> Result<Response, ApiError> {
    // Who only looks whether there is something must not use the link up.
    if request.method == Method::HEAD {
        return Err(codes::METHOD.into());
    }
    if looks_ahead(&request.headers) {
        return Err(codes::UNAVAILABLE.into());
    }
    let from = request.extensions.get::<Client>();
    let from = from.map(|Client(address)| address.to_string());
    let signed_in = auth.follow_link(&link.token, from).await?;
    let cookie = refresh_cookie(&auth, &signed_in.refresh_token);
    Ok((
        StatusCode::FOUND,
        [(LOCATION, CONSOLE), (SET_COOKIE, cookie)],
    )
        .into_response())
}

/// Whether a browser loads a page that nobody has opened yet.
fn looks_ahead(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        let purpose = headers.get(*name).and_then(|value| value.to_str().ok());
        purpose.is_some_and(|purpose| purpose.contains("prefetch") || purpose.contains("prerender"))
    })
}

/// Sign-in with Kakao: not offered by this version.
#[utoipa::path(get, path = "/oauth2/authorization/kakao", tag = "auth", responses((status = 501, description = "A_007")))]
async fn kakao() -> ApiError {
    codes::LOGIN_UNAVAILABLE.into()
}

/// Kakao's way back: not offered by this version.
#[utoipa::path(get, path = "/login/oauth2/code/kakao", tag = "auth", responses((status = 501, description = "A_007")))]
async fn kakao_callback() -> ApiError {
    codes::LOGIN_UNAVAILABLE.into()
}

#[async_trait]
impl Identify for Auth {
    async fn identify(&self, access_token: &str) -> Result<Identity, ApiError> {
        let caller = self.authenticate(access_token).await?;
        Ok(Identity {
            member_id: caller.member_id,
            role: caller.role,
            expires_at: caller.expires_at,
        })
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::TokenInvalid => codes::UNAUTHENTICATED.into(),
            AuthError::TokenExpired => codes::TOKEN_EXPIRED.into(),
            AuthError::RefreshInvalid => codes::REFRESH_INVALID.into(),
            AuthError::MemberOut => codes::MEMBER_OUT.into(),
            AuthError::Operator => codes::DEV_LOGIN_OPERATOR.into(),
            AuthError::LinkGone => codes::LINK_GONE.into(),
            AuthError::NoMember => codes::MEMBER_NOT_FOUND.into(),
            AuthError::Member(MemberError::Email(_)) => {
                Self::field("email", "이메일 주소가 아닙니다")
            }
            AuthError::Member(MemberError::Name) => {
                Self::field("name", "1자 이상 100자 이하여야 합니다")
            }
            AuthError::Member(MemberError::Taken(_)) => {
                Self::field("email", "이미 사용 중인 이메일 주소입니다")
            }
            AuthError::Member(MemberError::Database(error)) | AuthError::Database(error) => {
                error.into()
            }
            AuthError::Signing(error) => {
                tracing::error!(%error, "an access token could not be signed");
                codes::INTERNAL.into()
            }
        }
    }
}

fn answer(auth: &Auth, signed_in: SignedIn) -> Response {
    let cookie = refresh_cookie(auth, &signed_in.refresh_token);
    let body = Json(AccessToken {
        access_token: signed_in.access_token,
    });
    ([(SET_COOKIE, cookie)], body).into_response()
}

fn refresh_cookie(auth: &Auth, token: &RefreshToken) -> HeaderValue {
    set_cookie(auth, &token.text, auth.seconds_left(token))
}

fn set_cookie(auth: &Auth, token: &str, seconds: i64) -> HeaderValue {
    let secure = if auth.options.secure_cookie {
        "; Secure"
    } else {
        ""
    };
    let text = format!(
        "{REFRESH_COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/auth; Max-Age={seconds}{secure}"
    );
    // Tokens are hexadecimal, so the text is always a header value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, token)| *name == REFRESH_COOKIE && !token.is_empty())
        .map(|(_, token)| token.to_owned())
}
