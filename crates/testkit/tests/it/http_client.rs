//! The HTTP client of the test kit.

use serde_json::{Value, json};
use testkit::http::{Client, Method};

use crate::stand_in::{StandIn, answer};

async fn service() -> StandIn {
    StandIn::start(|request| match request.split(' ').nth(1).unwrap() {
        "/auth/dev-login" => answer(
            "200 OK",
            "set-cookie: refresh_token=r1; HttpOnly; Path=/auth\r\n",
            r#"{"accessToken":"a1"}"#,
        ),
        "/auth/refresh" => answer(
            "200 OK",
            "set-cookie: refresh_token=r2; HttpOnly; Path=/auth\r\n",
            r#"{"accessToken":"a2"}"#,
        ),
        "/auth/logout" => answer(
            "200 OK",
            "set-cookie: refresh_token=gone; Max-Age=0; Path=/auth\r\n",
            "",
        ),
        "/away" => answer("302 Found", "location: /elsewhere\r\n", ""),
        _ => answer("404 Not Found", "", "not here"),
    })
    .await
}

#[tokio::test]
async fn a_login_is_kept_for_later_requests_and_cookies_rotate() {
    let service = service().await;
    let client = Client::new(service.base());

    assert_eq!(client.dev_login("a@example.org").await, "a1");
    assert!(
        service
            .last_request()
            .ends_with(r#"{"email":"a@example.org"}"#)
    );

    client.post("/auth/refresh", &json!({})).await.expect(200);
    assert!(service.last_request().contains("authorization: bearer a1"));
    assert!(service.last_request().contains("cookie: refresh_token=r1"));
    assert_eq!(client.cookie("refresh_token").as_deref(), Some("r2"));

    client.post("/auth/logout", &json!({})).await.expect(200);
    assert_eq!(client.cookie("refresh_token"), None);
}

#[tokio::test]
async fn another_origin_gets_neither_token_nor_cookies() {
    let (service, storage) = (service().await, service().await);
    let client = Client::new(service.base());
    client.dev_login("a@example.org").await;

    let url = format!("{}/upload?signature=x", storage.base());
    client.put(&url, "text/plain", "bytes").await.expect(404);

    let request = storage.last_request();
    assert!(request.starts_with("put /upload?signature=x "));
    assert!(request.contains("content-type: text/plain"));
    assert!(request.ends_with("\r\n\r\nbytes"));
    assert!(!request.contains("bearer") && !request.contains("refresh_token"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_a_body_that_is_no_json_is_text() {
    let service = service().await;
    let client = Client::new(service.base());

    let away = client.get("/away").await;
    assert_eq!(away.status, 302);
    assert_eq!(away.header("location"), "/elsewhere");

    let missing = client.delete("/missing").await;
    assert_eq!(missing.json, Value::Null);
    assert_eq!(missing.text, "not here");
}

#[tokio::test]
async fn headers_are_added_to_a_request() {
    let service = service().await;
    Client::new(service.base())
        .request(Method::POST, "/api/marking")
        .header("Idempotency-Key", "k1")
        .json(&json!([]))
        .send()
        .await
        .expect(404);
    assert!(service.last_request().contains("idempotency-key: k1"));
}

#[tokio::test]
#[should_panic(expected = "not here")]
async fn an_unexpected_status_shows_the_body() {
    let service = service().await;
    Client::new(service.base())
        .get("/missing")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_dead_server_is_an_error_for_those_who_ask() {
    let service = service().await;
    let client = Client::new(service.base());
    drop(service);
    tokio::task::yield_now().await;
    assert!(client.request(Method::GET, "/").try_send().await.is_err());
}
