//! The `Retry-After` header.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::RETRY_AFTER;

/// How long a `Retry-After` header asks to wait: seconds, or a date, whose distance is taken from the answer's own `Date` where it has one.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(text)?;
    // The other side's clock wrote both.
    let from = headers
        .get(http::header::DATE)
        .and_then(|value| date(value.to_str().ok()?))
        .unwrap_or(now);
    Some((until - from).to_std().unwrap_or_default())
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        retry_after(&headers, "2026-11-23T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn seconds_and_dates_are_both_understood() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(asked(&[("retry-after", "17")]), seconds(17));
        assert_eq!(asked(&[("retry-after", " 0 ")]), seconds(0));
        let date = "Mon, 23 Nov 2026 00:01:30 GMT";
        assert_eq!(asked(&[("retry-after", date)]), seconds(90));
        // A clock that is ten minutes slow does not wait ten minutes more.
        let dated = [
            ("retry-after", date),
            ("date", "Mon, 23 Nov 2026 00:01:00 GMT"),
        ];
        assert_eq!(asked(&dated), seconds(30));
        let past = [("retry-after", "Sun, 22 Nov 2026 00:00:00 GMT")];
        assert_eq!(asked(&past), seconds(0));
    }

    #[test]
    fn nonsense_asks_for_nothing() {
        for text in ["soon", "-3", "1.5", "", "99999999999999999999999"] {
            assert_eq!(asked(&[("retry-after", text)]), None, "{text}");
        }
        assert_eq!(asked(&[]), None);
    }
}
