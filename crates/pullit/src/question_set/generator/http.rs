//! One request to a model's service, bounded in time and in what is read of its answer.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::fault::{Fault, Reason};
use super::retry_after::retry_after;
use crate::platform::tls;

/// The longest answer that is read. A hundred questions take about 100 KB.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;
/// What is read of an error.
const LONGEST_ERROR: usize = 64 * 1024;
const CONNECT: Duration = Duration::from_secs(10);

/// No client could be made, for want of certificates that this machine trusts.
#[derive(Debug, Error)]
#[error(
    "no HTTP client for {host} can be made; does this machine have CA certificates (package ca-certificates)? {reason}"
)]
pub struct ClientError {
    host: String,
    reason: String,
}

/// A client for the service at `url`. It follows no redirect: the key and the material go where the operator said, and nowhere else.
pub(super) fn client(url: &Url, timeout: Duration) -> Result<Client, ClientError> {
    tls::install();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("pullit/", env!("CARGO_PKG_VERSION")));
    if url.scheme() == "http" {
        // Needs no certificates, and a service on this machine or this network no proxy.
        builder = builder.tls_certs_only([]).no_proxy();
    }
    builder.build().map_err(|error| ClientError {
        host: url.host_str().unwrap_or_default().to_owned(),
        reason: error.to_string(),
    })
}

/// `url`, with more segments to its path.
pub(super) fn below(url: &Url, path: &str) -> Url {
    let mut below = url.clone();
    let path = format!("{}/{path}", url.path().trim_end_matches('/'));
    below.set_path(&path);
    below
}

/// Sends a request: the body of a successful answer, or what went wrong.
pub(super) async fn send(request: RequestBuilder) -> Result<Bytes, Fault> {
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status();
    if status.is_success() {
        let Some(body) = read(&mut response, LONGEST_ANSWER).await? else {
            return Err(Fault::Malformed("the answer is far too long"));
        };
        return Ok(body);
    }
    #[allow(
        clippy::disallowed_methods,
        reason = "the service's date and this wait are in the world's time"
    )]
    let retry_after = retry_after(response.headers(), Utc::now());
    // An error whose body is lost or too long is still the error that its status says.
    let body = read(&mut response, LONGEST_ERROR).await;
    Err(Fault::Status {
        status: status.as_u16(),
        reason: body.ok().flatten().and_then(|body| reason(&body)),
        retry_after,
    })
}

/// The whole body; none when it is longer than that.
async fn read(response: &mut Response, longest: usize) -> Result<Option<Bytes>, Fault> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > longest {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

fn broken(error: reqwest::Error) -> Fault {
    if error.is_timeout() {
        Fault::Timeout
    } else {
        Fault::Connection
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

/// OpenAI says a `code`, Gemini a `status` and `details`.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct RefusalBody {
    code: Value,
    status: Value,
    details: Vec<Value>,
}

fn reason(body: &[u8]) -> Option<Reason> {
    let error = serde_json::from_slice::<Refusal>(body).ok()?.error;
    let details = error.details.iter().map(|detail| &detail["reason"]);
    let mut words = [&error.code, &error.status]
        .into_iter()
        .chain(details)
        .filter_map(Value::as_str);
    words.find_map(|word| match word {
        "API_KEY_INVALID"
        | "API_KEY_EXPIRED"
        | "FAILED_PRECONDITION"
        | "PERMISSION_DENIED"
        | "invalid_api_key"
        | "unsupported_country_region_territory"
        | "model_not_found" => Some(Reason::Access),
        "context_length_exceeded" | "string_above_max_length" => Some(Reason::TooLong),
        "content_filter" | "content_policy_violation" => Some(Reason::Policy),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_beside_its_status_is_understood() {
        let openai =
            |code: &str| format!(r#"{{"error":{{"message":"m","type":"t","code":"{code}"}}}}"#);
        let key = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT",
            "details":[{"@type":"x","reason":"API_KEY_INVALID"}]}}"#;
        let place = r#"{"error":{"code":400,"message":"m","status":"FAILED_PRECONDITION"}}"#;
        for (body, understood) in [
            (
                openai("context_length_exceeded").as_str(),
                Some(Reason::TooLong),
            ),
            (openai("content_filter").as_str(), Some(Reason::Policy)),
            (openai("invalid_api_key").as_str(), Some(Reason::Access)),
            (openai("rate_limit_exceeded").as_str(), None),
            (key, Some(Reason::Access)),
            (place, Some(Reason::Access)),
            (r#"{"error":{"code":null,"message":"m"}}"#, None),
            (r#"{"error":"no"}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(reason(body.as_bytes()), understood, "{body}");
        }
    }

    #[test]
    fn a_path_is_added_below_the_services_own() {
        for (url, expected) in [
            ("https://a.example/v1", "https://a.example/v1/x/y"),
            ("https://a.example/v1/", "https://a.example/v1/x/y"),
            ("https://a.example", "https://a.example/x/y"),
        ] {
            let below = below(&url.parse().unwrap(), "x/y");
            assert_eq!(below.as_str(), expected);
        }
    }
}
