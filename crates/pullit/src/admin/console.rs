//! The page at `/admin`: three files and an icon in the binary.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};

/// Only what this server sends is loaded, and nobody frames the page.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// The operator's console. It holds no data and needs no token; its script asks the JSON for everything.
pub fn console() -> Router {
    let page = || async { file("text/html; charset=utf-8", include_str!("page/index.html")) };
    Router::new()
        .route("/admin", get(page))
        .route("/admin/", get(page))
        .route(
            "/admin/console.css",
            get(|| async { file("text/css; charset=utf-8", include_str!("page/console.css")) }),
        )
        .route(
            "/admin/console.js",
            get(|| async {
                file(
                    "text/javascript; charset=utf-8",
                    include_str!("page/console.js"),
                )
            }),
        )
        .route(
            "/admin/icon.svg",
            get(|| async { file("image/svg+xml", include_str!("page/icon.svg")) }),
        )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
