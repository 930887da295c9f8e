//! The HTTP edge of the whole service: every room's routes, and the manners that all of them share.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use ground::{TraceParent, trace};
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{
    MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tracing::Instrument;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::app::App;
use crate::health::Health;
use crate::platform::config::Config;
use crate::platform::http::{ApiError, Identify, Network, codes, describe_problems, guard};
use crate::{
    admin, auth, health, learn_stats, marking, member, notification, question_set, source,
};

#[derive(OpenApi)]
#[openapi(info(
    title = "Pullit",
    description = "A study service: members upload learning material, get question sets made from it, solve them, and see their streaks. \
        Errors are RFC 9457 `application/problem+json` with a stable `code`.",
    license(name = "MIT OR Apache-2.0")
))]
struct Api;

/// Every route of the service.
pub(crate) fn router(app: &App, health: Health) -> Router {
    let rooms = &app.rooms;
    let timed = OpenApiRouter::new()
        .merge(auth::http::routes(
            app.auth.clone(),
            Arc::new(quotas(&app.config)),
        ))
        .merge(member::http::routes(app.members.clone()))
        .merge(source::routes(Arc::clone(&rooms.sources)))
        .merge(question_set::http::routes(
            rooms.question_sets.clone(),
            Arc::clone(&rooms.learn_stats),
        ))
        .merge(marking::http::routes(app.marking.clone()))
        .merge(learn_stats::http::routes(Arc::clone(&rooms.learn_stats)))
        .merge(admin::routes(app.admin.clone()))
        .merge(health::routes(health))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app.config),
            in_time,
        ));
    // Uploads and event streams take as long as they take: each bounds itself.
    let mut untimed = notification::http::routes(Arc::clone(&rooms.feed));
    if let Some(folder) = &app.folder {
        untimed = untimed.merge(source::upload_routes(
            Arc::clone(&rooms.sources),
            Arc::clone(folder),
        ));
    }
    let (router, mut api) = OpenApiRouter::with_openapi(Api::openapi())
        .merge(timed)
        .merge(untimed)
        .split_for_parts();
    describe_problems(&mut api);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    api.components
        .get_or_insert_default()
        .add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let identify: Arc<dyn Identify> = Arc::new(app.auth.clone());
    router
        .merge(SwaggerUi::new("/docs").url("/openapi.json", api))
        .merge(admin::console())
        .fallback(async || ApiError::new(codes::NOT_FOUND))
        .method_not_allowed_fallback(async || ApiError::new(codes::METHOD))
        .layer(axum::Extension(identify))
        .layer(middleware::from_fn(guard::one_host))
        .layer(middleware::from_fn(observe))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(guard::answer_headers))
        .layer(PropagateRequestIdLayer::new(guard::REQUEST_ID))
        .layer(SetRequestIdLayer::new(guard::REQUEST_ID, MakeRequestUuid))
        .layer(middleware::from_fn(guard::safe_request_id))
        .layer(cors(&app.config))
}

/// Health, readiness and metrics alone, for whoever watches over nodes of any role.
pub(crate) fn probes(health: Health) -> Router {
    let (router, _) = health::routes(health).split_for_parts();
    router
        .fallback(async || ApiError::new(codes::NOT_FOUND))
        .method_not_allowed_fallback(async || ApiError::new(codes::METHOD))
        .layer(CatchPanicLayer::custom(panicked))
}

/// How often one address may ask to sign in.
fn quotas(config: &Config) -> auth::http::Quotas {
    // What cannot be read was refused at start.
    let trusted = config.http.trusted_proxies.iter();
    let trusted: Vec<Network> = trusted.filter_map(|text| text.parse().ok()).collect();
    let quotas = &config.quotas;
    auth::http::Quotas::new(
        quotas.sign_ins_per_minute,
        quotas.refreshes_per_minute,
        trusted,
    )
}

/// The configured front ends may call with credentials; nobody else's pages may.
fn cors(config: &Config) -> CorsLayer {
    let origins: Vec<HeaderValue> = config
        .http
        .cors_origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok())
        .collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            ACCEPT,
            AUTHORIZATION,
            CACHE_CONTROL,
            CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static(TRACEPARENT),
            HeaderName::from_static("tracestate"),
        ])
        .expose_headers([LOCATION, RETRY_AFTER, guard::REQUEST_ID])
        .max_age(std::time::Duration::from_secs(3600))
}

/// A request that takes too long is given up, and its transaction undone.
async fn in_time(State(config): State<Arc<Config>>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(config.http.request_timeout.duration(), next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(codes::TIMEOUT).into_response(),
    }
}

/// Names the trace that a request belongs to (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// One span, one step of a trace and one count for each request. Paths are told as their pattern, and methods that nobody serves as one: ids, and words that a
/// stranger makes up, would make the metrics grow without end.
async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let id = request
        .extensions()
        .get::<RequestId>()
        .and_then(|id| id.header_value().to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let trace = trace_of(request.headers());
    let span = tracing::info_span!("request", %method, path, id, trace_id = trace.trace_id());
    let answering = trace::scope(trace, next.run(request));
    let response = answering.instrument(span).await;
    let status = response.status();
    if status.is_server_error() {
        let trace_id = trace.trace_id();
        tracing::error!(%method, path, id, trace_id, status = status.as_u16(), "a request failed on our side");
    }
    let labels = [
        ("method", method_label(&method).to_owned()),
        ("path", path),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_seconds", &labels[..2])
        .record(started.elapsed().as_secs_f64());
    response
}

/// The next step of the caller's trace. One that cannot be read, or that is named twice, is as good as none.
fn trace_of(headers: &HeaderMap) -> TraceParent {
    let mut named = headers.get_all(TRACEPARENT).iter();
    let received = match (named.next(), named.next()) {
        (Some(only), None) => only.to_str().ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    received.map_or_else(TraceParent::new, TraceParent::child)
}

fn method_label(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "OTHER",
    }
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a request handler panicked; the server goes on");
    ApiError::new(codes::INTERNAL).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: HeaderValue =
        HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

    #[test]
    fn a_request_is_the_next_step_of_the_trace_that_its_caller_names() {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(TRACEPARENT), TRACE)]);
        let trace = trace_of(&headers);
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(TRACE, trace.to_string());
        assert!(
            trace.to_string().ends_with("-01"),
            "recorded, as the caller's is"
        );
    }

    #[test]
    fn a_request_without_one_valid_trace_starts_its_own() {
        let name = || HeaderName::from_static(TRACEPARENT);
        let mut twice = HeaderMap::new();
        twice.append(name(), TRACE);
        twice.append(name(), TRACE);
        let broken = HeaderMap::from_iter([(name(), HeaderValue::from_static("00-0-0-0"))]);
        for headers in [HeaderMap::new(), twice, broken] {
            let id = trace_of(&headers).trace_id();
            assert_ne!(id, "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_ne!(id, trace_of(&headers).trace_id());
        }
    }

    #[tokio::test]
    async fn a_handler_that_panics_answers_with_a_problem() {
        use tower::ServiceExt;

        let broken = axum::routing::get(async || -> &'static str { panic!("broken") });
        let router = Router::new()
            .route("/broken", broken)
            .layer(CatchPanicLayer::custom(panicked));
        let request = Request::get("/broken").body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(answer.into_body(), 10_000)
            .await
            .unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], codes::INTERNAL.code);
    }

    #[test]
    fn methods_that_a_stranger_makes_up_are_counted_as_one() {
        for made_up in ["FOO", "BAR", "get"] {
            let method = Method::from_bytes(made_up.as_bytes()).unwrap();
            assert_eq!(method_label(&method), "OTHER");
        }
        assert_eq!(method_label(&Method::PATCH), "PATCH");
    }
}
