//! Whether a request comes from this machine, without a proxy in between.

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Version};
use sse_hub::server::Peer;

use crate::platform::loopback;

/// Headers that only a proxy sets: these, and every name that begins or ends as below.
const FORWARDED: [&str; 3] = ["forwarded", "via", "x-real-ip"];
const FORWARDED_PREFIXES: [&str; 4] = ["x-forwarded-", "x-original-", "x-envoy-", "cf-"];
const FORWARDED_SUFFIXES: [&str; 2] = ["-client-ip", "-connecting-ip"];

fn shows_a_proxy(headers: &HeaderMap) -> bool {
    headers.keys().map(http::HeaderName::as_str).any(|name| {
        FORWARDED.contains(&name)
            || FORWARDED_PREFIXES
                .iter()
                .any(|begin| name.starts_with(begin))
            || FORWARDED_SUFFIXES.iter().any(|end| name.ends_with(end))
    })
}

/// Whether the request shows that it came straight from this machine. A proxy with default settings may look the same: it must gain
/// nothing that is worth having, so nobody becomes an operator this way.
pub(super) fn is_local(request: &Parts) -> bool {
    let peer = request.extensions.get::<Peer>();
    peer.is_some_and(|Peer(peer)| loopback::is_address(peer.ip()))
        && request.version >= Version::HTTP_11
        && !shows_a_proxy(&request.headers)
        && names_this_machine(request)
}

/// Every name that the request has for its host must be this machine's.
fn names_this_machine(request: &Parts) -> bool {
    let header = host(&request.headers);
    let authority = request.uri.authority().map(|named| named.as_str());
    (header.is_some() || authority.is_some())
        && header.is_none_or(loopback::is_authority)
        && authority.is_none_or(loopback::is_authority)
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST).map(|host| host.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const PEER: &str = "127.0.0.1:1234";

    fn request(peer: &str, version: Version, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/auth/dev-login").version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(Peer(peer.parse().unwrap()));
        parts
    }

    #[test]
    fn only_a_request_straight_from_this_machine_is_local() {
        let host = ("host", "localhost:8080");
        let http1 = Version::HTTP_11;
        assert!(is_local(&request(PEER, http1, &[host])));
        assert!(is_local(&request("[::1]:9", http1, &[("host", "[::1]")])));
        assert!(!is_local(&request("192.0.2.1:9", http1, &[host])));
        assert!(!is_local(&request(PEER, Version::HTTP_10, &[host])));
        assert!(!is_local(&request(PEER, http1, &[])));
        assert!(!is_local(&request(
            PEER,
            http1,
            &[("host", "pullit.example")]
        )));
        for name in FORWARDED {
            assert!(
                !is_local(&request(PEER, http1, &[host, (name, "x")])),
                "{name}"
            );
        }
        let mut absolute = request(PEER, http1, &[host]);
        absolute.uri = "http://pullit.example/auth/dev-login".parse().unwrap();
        assert!(!is_local(&absolute));
        absolute.extensions.clear();
        assert!(!is_local(&absolute), "whose peer nobody knows");
    }
}
