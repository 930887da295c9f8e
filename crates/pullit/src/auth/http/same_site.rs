//! Whether a request comes from a page that may use the cookie.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

use crate::platform::http::{ApiError, codes};

/// Refuses requests that a browser sends for a page of somebody else. Clients that are no browsers say nothing of this and go on.
///
/// # Errors
/// `A_008`.
pub(super) fn check(headers: &HeaderMap, origins: &[String]) -> Result<(), ApiError> {
    if is_allowed(headers, origins) {
        Ok(())
    } else {
        Err(codes::CROSS_SITE.into())
    }
}

fn is_allowed(headers: &HeaderMap, origins: &[String]) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // No page can write this header: the browser does.
    let site = text("sec-fetch-site");
    if matches!(site, Some("same-origin" | "none")) {
        return true;
    }
    let Some(origin) = text(ORIGIN.as_str()) else {
        return site.is_none();
    };
    let is_own = |host: &str| {
        let rest = origin.split_once("://");
        rest.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    };
    // An older browser says the origin alone. One that says `same-site` means a neighbour, whatever its name.
    (site.is_none() && text(HOST.as_str()).is_some_and(is_own))
        || origins
            .iter()
            .any(|known| known.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn allowed(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        is_allowed(&headers, &["https://app.pullit.example".to_owned()])
    }

    #[test]
    fn only_our_own_and_the_configured_pages_may_use_the_cookie() {
        let host = ("host", "pullit.example");
        let app = ("origin", "https://app.pullit.example");
        assert!(allowed(&[host]));
        assert!(allowed(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[host, ("sec-fetch-site", "none")]));
        assert!(allowed(&[host, ("origin", "https://pullit.example")]));
        assert!(allowed(&[host, app]));
        assert!(allowed(&[host, app, ("sec-fetch-site", "same-site")]));
        assert!(allowed(&[host, app, ("sec-fetch-site", "cross-site")]));
        for origin in [
            "https://evil.example",
            "null",
            "https://pullit.example.evil.example",
            "",
        ] {
            assert!(!allowed(&[host, ("origin", origin)]), "{origin}");
            assert!(
                !allowed(&[host, ("origin", origin), ("sec-fetch-site", "cross-site")]),
                "{origin}"
            );
        }
        assert!(!allowed(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!allowed(&[host, ("sec-fetch-site", "same-site")]));
    }
}
