//! What every request and every answer must bear: one host, a request id of a safe form, headers that say who may show and store it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::{ApiError, codes};

/// Names a request in the log and in its answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A longer id, or one with other characters than letters, digits and `-._`, is replaced by our own.
const LONGEST_REQUEST_ID: usize = 128;

/// Where answers hold what belongs to one member: tokens, signed URLs, rows.
const PRIVATE: [&str; 5] = ["/api/", "/admin/api/", "/auth/", "/oauth2/", "/login/"];

/// The page of the API loads its own files only. Its script sets inline styles and shows icons that stand in its style sheet.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Nothing else is a page.
const NO_PAGE_POLICY: &str = "frame-ancestors 'none'";

/// A request that names no host, or two, is understood differently by each server on its way.
pub(crate) async fn one_host(request: Request, next: Next) -> Response {
    if names_one_host(&request) {
        next.run(request).await
    } else {
        ApiError::new(codes::HOST).into_response()
    }
}

fn names_one_host<B>(request: &http::Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            let host = Authority::try_from(host.as_bytes());
            host.is_ok_and(|host| !host.as_str().contains('@'))
        }
        // HTTP/2 says it elsewhere, and HTTP/1.0 knows no hosts.
        (None, _) => request.uri().authority().is_some() || request.version() < Version::HTTP_11,
        _ => false,
    }
}

/// Forgets a request id that could not be logged and sent back as it is. One of ours takes its place.
pub(crate) async fn safe_request_id(mut request: Request, next: Next) -> Response {
    if !has_safe_request_id(request.headers()) {
        request.headers_mut().remove(REQUEST_ID);
    }
    next.run(request).await
}

fn has_safe_request_id(headers: &HeaderMap) -> bool {
    let mut ids = headers.get_all(REQUEST_ID).iter();
    let (Some(id), None) = (ids.next(), ids.next()) else {
        return false;
    };
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    (1..=LONGEST_REQUEST_ID).contains(&id.len()) && id.as_bytes().iter().all(is_safe)
}

/// Adds to each answer what browsers and caches must know, unless it says so itself.
pub(crate) async fn answer_headers(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_private = PRIVATE.iter().any(|start| path.starts_with(start));
    let is_docs = path == "/docs" || path.starts_with("/docs/");
    let mut response = next.run(request).await;
    let policy = if is_docs { DOCS_POLICY } else { NO_PAGE_POLICY };
    let defaults = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "no-referrer"),
    ];
    let headers = response.headers_mut();
    for (name, value) in defaults {
        let entry = headers.entry(name);
        entry.or_insert(HeaderValue::from_static(value));
    }
    if is_private {
        let entry = headers.entry(CACHE_CONTROL);
        entry.or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, uri: &str, hosts: &[&'static str]) -> http::Request<()> {
        let mut request = http::Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_request_names_one_host() {
        let http1 = Version::HTTP_11;
        assert!(names_one_host(&request(http1, "/", &["localhost:80"])));
        assert!(names_one_host(&request(http1, "/", &["[::1]:80"])));
        for hosts in [&[][..], &["a", "a"], &[""], &["a b"], &["x@a"]] {
            assert!(!names_one_host(&request(http1, "/", hosts)), "{hosts:?}");
        }
        let http2 = request(Version::HTTP_2, "https://pullit.example/", &[]);
        assert!(names_one_host(&http2));
        assert!(names_one_host(&request(Version::HTTP_10, "/", &[])));
        let twice = request(Version::HTTP_10, "/", &["a", "a"]);
        assert!(!names_one_host(&twice));
    }
}
