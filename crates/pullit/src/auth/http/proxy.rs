//! Whether a request came through a proxy.

use http::HeaderMap;
use http::header::HOST;

/// Headers that only a proxy sets.
const FORWARDED: &[&str] = &[
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Whether the request shows that it did not come straight from this machine: a proxy on a loopback address would otherwise open the
/// development sign-in to the world.
pub(super) fn came_through_a_proxy(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(*name)) || !host_is_local(headers)
}

fn host_is_local(headers: &HeaderMap) -> bool {
    // HTTP/2 requests may carry the authority in the URI alone; clients of ours speak HTTP/1.1 here.
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn only_a_loopback_host_without_forwarding_headers_is_local() {
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "LOCALHOST",
        ] {
            assert!(!came_through_a_proxy(&headers(&[("host", host)])), "{host}");
        }
        for host in [
            "pullit.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
        ] {
            assert!(came_through_a_proxy(&headers(&[("host", host)])), "{host}");
        }
        assert!(came_through_a_proxy(&headers(&[
            ("host", "localhost"),
            ("x-forwarded-for", "1.2.3.4")
        ])));
        assert!(came_through_a_proxy(&headers(&[])));
    }
}
