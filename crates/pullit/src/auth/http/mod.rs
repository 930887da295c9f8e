//! `/auth/…` and the doors of other sign-in services.

mod proxy;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::AuthError;
use super::service::{Auth, SignedIn};
use crate::member::MemberError;
use crate::platform::http::{ApiError, Fields, Identify, Identity, Json, codes};

/// The cookie of the refresh token.
const REFRESH_COOKIE: &str = "refresh_token";

/// The routes of the room.
pub fn routes(auth: Auth) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(dev_login))
        .routes(routes!(kakao))
        .routes(routes!(kakao_callback))
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
    responses((status = 200, body = AccessToken), (status = 401, description = "A_003"), (status = 403, description = "A_004")))]
async fn refresh(State(auth): State<Auth>, headers: HeaderMap) -> Result<Response, ApiError> {
    let token = cookie(&headers).ok_or(codes::REFRESH_INVALID)?;
    let signed_in = auth.refresh(&token).await?;
    Ok(answer(&auth, signed_in))
}

/// Ends the session of the refresh cookie and clears the cookie.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", responses((status = 200)))]
async fn logout(State(auth): State<Auth>, headers: HeaderMap) -> Result<Response, ApiError> {
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

/// Signs in with an e-mail address alone; for development on one's own machine only.
#[utoipa::path(post, path = "/auth/dev-login", tag = "auth", request_body = DevLogin,
    responses((status = 200, body = AccessToken), (status = 400, description = "C_002, C_003"),
        (status = 403, description = "A_004, A_006"), (status = 404, description = "C_004: switched off")))]
async fn dev_login(
    State(auth): State<Auth>,
    headers: HeaderMap,
    body: Result<Json<DevLogin>, ApiError>,
) -> Result<Response, ApiError> {
    if !auth.options.dev_login {
        return Err(codes::NOT_FOUND.into());
    }
    if proxy::came_through_a_proxy(&headers) {
        return Err(codes::DEV_LOGIN_PROXIED.into());
    }
    let Json(body) = body?;
    let mut fields = Fields::new();
    let email = fields.text("email", body.email, 254);
    fields.check()?;
    let signed_in = auth.dev_login(email.unwrap_or_default(), body.name).await?;
    Ok(answer(&auth, signed_in))
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
    let token = &signed_in.refresh_token;
    let cookie = set_cookie(auth, &token.text, auth.seconds_left(token));
    let body = Json(AccessToken {
        access_token: signed_in.access_token,
    });
    ([(SET_COOKIE, cookie)], body).into_response()
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
