//! Bounds how often one address asks to sign in or to refresh.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::platform::http::{
    ApiError, FORWARDED_FOR, Network, RateLimit, bucket, client_address, codes,
};
use crate::platform::loopback;

/// The quotas of the room.
#[derive(Debug)]
pub struct Quotas {
    sign_ins: RateLimit,
    refreshes: RateLimit,
    trusted: Vec<Network>,
    proxy_was_named: AtomicBool,
}

impl Quotas {
    /// So many requests a minute from one address (0: no limit), as these proxies see it.
    pub fn new(sign_ins: u32, refreshes: u32, trusted: Vec<Network>) -> Self {
        Self {
            sign_ins: RateLimit::per_minute(sign_ins),
            refreshes: RateLimit::per_minute(refreshes),
            trusted,
            proxy_was_named: AtomicBool::new(false),
        }
    }

    fn client(&self, request: &Request) -> Option<IpAddr> {
        client_address(request.extensions(), request.headers(), &self.trusted)
    }

    fn admit(&self, client: IpAddr, request: &Request) -> Result<(), Duration> {
        let limit = match request.uri().path() {
            "/auth/logout" => return Ok(()),
            "/auth/refresh" => &self.refreshes,
            // For development, where a test signs in thousands.
            "/auth/dev-login" if loopback::is_address(client) => return Ok(()),
            _ => &self.sign_ins,
        };
        let admitted = limit.admit(bucket(client), Instant::now());
        if admitted.is_err() {
            metrics::counter!("http_requests_over_quota_total").increment(1);
            self.name_the_proxy(client, request);
        }
        admitted
    }

    /// Behind a proxy that is not trusted, all its clients are one address.
    fn name_the_proxy(&self, client: IpAddr, request: &Request) {
        if request.headers().contains_key(FORWARDED_FOR)
            && !self.proxy_was_named.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                %client,
                "requests over a quota came with X-Forwarded-For; if this address is a proxy of yours, name it in http.trusted_proxies, or its \
                 clients share one quota"
            );
        }
    }
}

/// Whom a request comes from, past the proxies that are trusted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) IpAddr);

/// Answers 429 to who asks too often.
pub(super) async fn within_quota(
    State(quotas): State<Arc<Quotas>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(client) = quotas.client(&request) else {
        return next.run(request).await;
    };
    request.extensions_mut().insert(Client(client));
    match quotas.admit(client, &request) {
        Ok(()) => next.run(request).await,
        Err(wait) => ApiError::new(codes::TOO_MANY)
            .retry_after(wait)
            .into_response(),
    }
}
