//! The address of an AMQP broker, and what is wrong with it.

use lapin::uri::{AMQPScheme, AMQPUri};
use thiserror::Error;

/// The broker's address cannot be used. The text holds nothing of it: it may contain a password.
#[derive(Debug, Error)]
#[error(
    "broker.url: {0}; write `amqp://USER:PASSWORD@HOST:5672/VHOST`, where the default virtual host is `%2f` and \
     special characters are percent-encoded"
)]
pub struct BadAddress(String);

/// Seconds between heartbeats, unless the address says otherwise: how fast a peer that vanished is noticed.
const HEARTBEAT: u16 = 10;

/// The address that a URL names.
///
/// # Errors
/// When it names none.
pub fn address(url: &str) -> Result<AMQPUri, BadAddress> {
    if !url.contains("://") {
        return Err(BadAddress("it names no host".to_owned()));
    }
    let mut uri: AMQPUri = url.parse().map_err(|error: String| BadAddress(error))?;
    if uri.scheme != AMQPScheme::AMQP {
        return Err(BadAddress("only `amqp` is offered, without TLS".to_owned()));
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    Ok(uri)
}

/// What is wrong with the beginning of the names, if anything is.
pub fn bad_prefix(prefix: &str) -> Option<&'static str> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if prefix.is_empty() || prefix.len() > 100 || !prefix.bytes().all(known) {
        Some("must be 1 to 100 letters, digits, dots, hyphens or underscores")
    } else if prefix.starts_with("amq.") {
        Some("must not start with `amq.`, which the broker keeps for itself")
    } else {
        None
    }
}
