//! Error answers: stable codes and RFC 9457 problems.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use ground::Fault;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// A kind of error that callers may rely on: stable code, status, title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// A letter for the area and three digits.
    pub code: &'static str,
    /// HTTP status.
    pub status: StatusCode,
    /// The same words for every error of this kind, for the member.
    pub title: &'static str,
}

/// Every error code of the service, by area: `C` common, `A` sign-in, `M` members, `S` sources, `Q` question sets, `K` marking,
/// `L` learn stats, `N` notifications, `J` jobs, `O` outbox.
pub mod codes {
    use super::{Code, StatusCode};

    macro_rules! codes {
        ($($(#[$doc:meta])* $name:ident = $code:literal $status:ident $title:literal;)*) => {
            $($(#[$doc])* pub const $name: Code = Code { code: $code, status: StatusCode::$status, title: $title };)*
            /// All of them, for the documentation.
            pub const ALL: &[Code] = &[$($name),*];
        };
    }

    codes! {
        /// Something failed on our side; the log has it under the request id.
        INTERNAL = "C_001" INTERNAL_SERVER_ERROR "서버에서 문제가 발생했습니다";
        /// The body is not JSON.
        NOT_JSON = "C_002" BAD_REQUEST "요청 본문이 올바른 JSON이 아닙니다";
        /// Fields are missing or have values that cannot be used; `errors` names them.
        INVALID = "C_003" BAD_REQUEST "요청 값이 올바르지 않습니다";
        /// There is no such resource, or it is another member's.
        NOT_FOUND = "C_004" NOT_FOUND "찾을 수 없습니다";
        /// The resource does not know this method.
        METHOD = "C_005" METHOD_NOT_ALLOWED "지원하지 않는 요청 방식입니다";
        /// The body is larger than what is read.
        TOO_LARGE = "C_006" PAYLOAD_TOO_LARGE "요청 본문이 너무 큽니다";
        /// The request took too long.
        TIMEOUT = "C_007" GATEWAY_TIMEOUT "요청 처리 시간이 초과되었습니다";
        /// The database or the storage does not answer; try again.
        UNAVAILABLE = "C_008" SERVICE_UNAVAILABLE "잠시 후 다시 시도해 주세요";
        /// The `Idempotency-Key` was used for another request.
        IDEMPOTENCY_REUSED = "C_009" UNPROCESSABLE_ENTITY "이미 다른 요청에 사용된 Idempotency-Key입니다";
        /// The content type of the body is not the one that is read here.
        MEDIA_TYPE = "C_010" UNSUPPORTED_MEDIA_TYPE "지원하지 않는 Content-Type입니다";
        /// The disk of the database is full: nothing was stored. Try again when there is room.
        FULL = "C_011" SERVICE_UNAVAILABLE "저장 공간이 부족하여 저장하지 못했습니다. 잠시 후 다시 시도해 주세요";
        /// Too many requests: `Retry-After` says when to come back.
        TOO_MANY = "C_012" TOO_MANY_REQUESTS "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요";
        /// The request names no host, or more than one.
        HOST = "C_013" BAD_REQUEST "Host 헤더가 올바르지 않습니다";
        /// No access token, or one that is not ours.
        UNAUTHENTICATED = "A_001" UNAUTHORIZED "로그인이 필요합니다";
        /// The access token has expired: refresh it.
        TOKEN_EXPIRED = "A_002" UNAUTHORIZED "로그인이 만료되었습니다";
        /// No refresh token, or one that is unknown, expired, revoked or reused: sign in again.
        REFRESH_INVALID = "A_003" UNAUTHORIZED "다시 로그인해 주세요";
        /// The member is banned or no longer active.
        MEMBER_OUT = "A_004" FORBIDDEN "이용이 제한된 회원입니다";
        /// The caller's role does not reach here.
        FORBIDDEN = "A_005" FORBIDDEN "권한이 없습니다";
        /// The development sign-in was reached through a proxy.
        DEV_LOGIN_PROXIED = "A_006" FORBIDDEN "개발용 로그인은 로컬에서만 사용할 수 있습니다";
        /// This way of signing in is not available.
        LOGIN_UNAVAILABLE = "A_007" NOT_IMPLEMENTED "지원하지 않는 로그인 방식입니다";
        /// A browser sent the request for a page of another site.
        CROSS_SITE = "A_008" FORBIDDEN "허용되지 않은 사이트의 요청입니다";
        /// The development sign-in signs in no operators: they use a one-time link.
        DEV_LOGIN_OPERATOR = "A_009" FORBIDDEN "운영자는 일회용 링크로 로그인해 주세요";
        /// The one-time link was used, has expired, or never was.
        LINK_GONE = "A_010" GONE "이미 사용했거나 만료된 로그인 링크입니다";
        /// The source is not the caller's or does not exist.
        SOURCE_NOT_FOUND = "S_001" NOT_FOUND "학습 소스를 찾을 수 없습니다";
        /// Files of this type are not taken.
        SOURCE_TYPE = "S_002" BAD_REQUEST "지원하지 않는 파일 형식입니다";
        /// The file is larger than what is taken.
        SOURCE_TOO_LARGE = "S_003" BAD_REQUEST "파일이 너무 큽니다";
        /// The upload is unknown, another member's, or does not match what was asked for.
        UPLOAD_UNKNOWN = "S_004" NOT_FOUND "업로드를 찾을 수 없습니다";
        /// Nothing was uploaded to the URL.
        UPLOAD_MISSING = "S_005" CONFLICT "업로드된 파일이 없습니다";
        /// What was uploaded has another size or type than announced.
        UPLOAD_MISMATCH = "S_006" CONFLICT "업로드된 파일이 요청한 내용과 다릅니다";
        /// The upload is complete already.
        UPLOAD_COMPLETED = "S_007" CONFLICT "이미 완료된 업로드입니다";
        /// The upload URL has expired.
        UPLOAD_EXPIRED = "S_008" FORBIDDEN "업로드 주소가 만료되었습니다";
        /// The signature of the upload URL is wrong.
        UPLOAD_SIGNATURE = "S_009" FORBIDDEN "업로드 주소가 올바르지 않습니다";
        /// The source could not be read; `detail` says why.
        SOURCE_FAILED = "S_010" CONFLICT "읽을 수 없는 학습 소스입니다";
        /// The question set is not the caller's or does not exist.
        QUESTION_SET_NOT_FOUND = "Q_001" NOT_FOUND "문제집을 찾을 수 없습니다";
        /// The questions are still being made.
        QUESTION_SET_PENDING = "Q_002" CONFLICT "문제집을 생성하고 있습니다";
        /// The questions could not be made; `detail` says why.
        QUESTION_SET_FAILED = "Q_003" CONFLICT "문제집 생성에 실패했습니다";
        /// The caller has asked for as many sets as a day has: `Retry-After` says when the next day begins.
        QUESTION_SETS_TODAY = "Q_004" TOO_MANY_REQUESTS "오늘 만들 수 있는 문제집 수를 넘었습니다";
        /// As many sets of the caller as may be are being made.
        QUESTION_SETS_PENDING = "Q_005" TOO_MANY_REQUESTS "생성 중인 문제집이 너무 많습니다";
        /// A question is not the caller's, does not exist, or its set was deleted.
        QUESTION_NOT_FOUND = "K_001" NOT_FOUND "문제를 찾을 수 없습니다";
        /// The stats are another member's, or there is no such member.
        STATS_NOT_FOUND = "L_001" NOT_FOUND "학습 통계를 찾을 수 없습니다";
        /// There is no such job.
        JOB_NOT_FOUND = "J_001" NOT_FOUND "There is no such job";
        /// Another node holds the job's lock.
        JOB_LOCKED = "J_002" CONFLICT "Another node holds the lock of this job";
        /// There is no such event, or it is not dead.
        EVENT_NOT_FOUND = "O_001" NOT_FOUND "There is no such dead event";
        /// There is no such member.
        MEMBER_NOT_FOUND = "M_001" NOT_FOUND "회원을 찾을 수 없습니다";
    }
}

/// One field of the request that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Its path in the request, such as `sourceIds[2]`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// An error answer: RFC 9457 `application/problem+json` with a stable `code`.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// Which kind.
    pub code: Code,
    /// What happened this time.
    pub detail: Option<String>,
    /// The fields at fault.
    pub errors: Vec<FieldError>,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// An error with its kind's title alone.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// An error that says what happened this time.
    pub fn with(code: Code, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::new(code)
        }
    }

    /// The same, and when to ask again.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// One field that cannot be used.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// Fields that cannot be used.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self {
            errors,
            ..Self::new(codes::INVALID)
        }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        let fault = Fault::of(&error);
        tracing::error!(%error, ?fault, "a request failed for a database error");
        Self::new(match fault {
            Fault::Full => codes::FULL,
            // A conflict with another writer is nobody's fault, and gone by the next try.
            Fault::Conflict | Fault::Outage | Fault::ReadOnly => codes::UNAVAILABLE,
            _ => codes::INTERNAL,
        })
    }
}

/// The body of an error answer (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// Always `about:blank`: the kind is told by `code`.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// Stable: a letter for the area and three digits.
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: "about:blank",
            title: self.code.title,
            status: self.code.status.as_u16(),
            detail: self.detail.as_deref(),
            code: self.code.code,
            errors: &self.errors,
        };
        let mut response = (self.code.status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.code.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let retry_after = match self.retry_after {
            // In seconds begun: who comes back earlier is refused again.
            Some(wait) => Some(wait.as_millis().div_ceil(1000).max(1) as u64),
            None => (self.code.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        };
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::codes;

    #[test]
    fn no_two_kinds_of_error_share_a_code() {
        let mut seen = std::collections::HashSet::new();
        for code in codes::ALL {
            assert!(seen.insert(code.code), "{} stands twice", code.code);
        }
    }
}
