//! Offers the socket of a connection to the answers of the wrapped service.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use tower_service::Service;

use super::handoff::Handoff;
use super::io::Accepted;
use super::timeouts::GivenUp;

/// The address at the other end of the connection: a client's, or a proxy's. Every request has it among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The wrapped service. It puts a [`Handoff`] among the extensions of requests that allow one.
pub(super) struct HandoffService<S> {
    pub(super) service: S,
    pub(super) accepted: Accepted,
    pub(super) given_up: GivenUp,
    /// A request has come.
    pub(super) used: Arc<AtomicBool>,
    /// Nothing for a connection that is broken already.
    pub(super) peer: Option<Peer>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for HandoffService<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.used.store(true, Relaxed);
        request.extensions_mut().insert(self.given_up.clone());
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let handoff = is_simple(&request).then(Handoff::new);
        if let Some(handoff) = &handoff {
            request.extensions_mut().insert(handoff.clone());
        }
        let mut service = self.service.clone();
        let accepted = self.accepted.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            let mut response = service.call(request).await?;
            if let Some(handoff) = handoff
                && is_plain(&response)
                && handoff.grant()
            {
                // There is nobody left on this socket to answer another request.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
                accepted.set(handoff);
            }
            Ok(response)
        })
    }
}

/// Whether nothing of the request is left to read, and its answer can be chunked.
fn is_simple(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && request.body().is_end_stream()
}

/// Whether the body is sent as it is, in chunks.
fn is_plain<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    response.status() == StatusCode::OK
        && ![CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING]
            .iter()
            .any(|name| headers.contains_key(name))
}
