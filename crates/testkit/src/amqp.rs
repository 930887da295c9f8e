//! The RabbitMQ that `./scripts/test` starts. Tests share it, and keep apart by the names they give.

use std::{env, net::SocketAddr};

use reqwest::Url;
use uuid::Uuid;

const SERVER: &str = "PULLIT_TEST_AMQP_URL";

fn server() -> Url {
    let server = env::var(SERVER).unwrap_or_else(|_| {
        panic!("this test needs RabbitMQ: run ./scripts/test ({SERVER} is not set)")
    });
    Url::parse(&server)
        .unwrap_or_else(|error| panic!("{SERVER} is no URL ({error}): run ./scripts/test"))
}

/// `amqp://…`, as a user who may do everything.
///
/// # Panics
/// When there is none: a test without its server fails, it is never skipped.
pub fn url() -> String {
    server().into()
}

/// `host:port`, for a [`Proxy`](crate::proxy::Proxy).
pub fn address() -> String {
    let server = server();
    format!(
        "{}:{}",
        server.host_str().unwrap_or_default(),
        server.port().unwrap_or(5672)
    )
}

/// The server by way of somebody who listens at this address.
pub fn url_through(address: SocketAddr) -> String {
    let mut url = server();
    url.set_ip_host(address.ip()).expect("amqp URLs have hosts");
    url.set_port(Some(address.port()))
        .expect("amqp URLs have ports");
    url.into()
}

/// A beginning of names that nobody else uses.
pub fn prefix() -> String {
    format!("test-{}", Uuid::new_v4().simple())
}
