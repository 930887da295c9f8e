//! What every request must bear and every answer bears: host, request id, content type, headers for browsers.

use serde_json::json;
use testkit::http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Problem, Server};

/// Sends these bytes, and returns all that comes back.
pub(super) async fn raw(server: &Server, request: &str) -> String {
    let address = server.url.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

testkit::on_each_database! {
    async fn a_request_with_two_hosts_or_none_is_refused(db: testkit::Database) {
        let server = Server::start(db).await;
        let get = async |hosts: &str, version: &str| {
            let request = format!("GET /healthz HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
            raw(&server, &request).await
        };
        for hosts in ["", "Host: localhost\r\nHost: localhost\r\n", "Host: \r\n", "Host: a@localhost\r\n"] {
            let answer = get(hosts, "1.1").await;
            assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("C_013"), "{hosts}: {answer}");
        }
        assert!(get("Host: localhost\r\n", "1.1").await.starts_with("HTTP/1.1 200 "));
        // Health checks of load balancers speak HTTP/1.0, which has no hosts.
        assert!(get("", "1.0").await.contains(" 200 "));
    }

    async fn a_request_id_from_outside_is_short_and_of_safe_characters(db: testkit::Database) {
        let server = Server::start(db).await;
        let echoed = async |id: &str| {
            let answer = server.client.request(Method::GET, "/healthz").header("x-request-id", id).send().await;
            answer.header("x-request-id").to_owned()
        };
        let longest = "a".repeat(128);
        for id in ["abc-DEF_1.2", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", &longest] {
            assert_eq!(echoed(id).await, id);
        }
        for id in ["a b", "<script>", "a\tb", "a=b", &"a".repeat(129), ""] {
            let own = echoed(id).await;
            assert_eq!((own.len(), own == id), (36, false), "{id:?} became {own:?}");
        }
    }

    async fn json_is_read_only_where_the_request_says_that_it_is_json(db: testkit::Database) {
        let server = Server::start(db).await;
        let body = json!({"email": "a@pullit.test"}).to_string();
        let send = async |kind: &str| {
            let request = server.client.request(Method::POST, "/auth/dev-login");
            request.bytes(kind, body.clone()).send().await
        };
        for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
            send(kind).await.expect(200);
        }
        for kind in ["text/plain", "text/plain; x=application/json", "application/jsonx", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=json"] {
            send(kind).await.problem(415, "C_010");
        }
        let untyped = format!("POST /auth/dev-login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        assert!(raw(&server, &untyped).await.contains("C_010"));
    }

    async fn no_cache_stores_an_answer_with_a_token(db: testkit::Database) {
        let server = Server::start(db).await;
        let answer = server.client.post("/auth/dev-login", &json!({"email": "a@pullit.test"})).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        server.client.set_bearer(answer.json["accessToken"].as_str());
        for (method, path) in [(Method::POST, "/auth/refresh"), (Method::GET, "/api/members/me"), (Method::POST, "/auth/logout"), (Method::POST, "/auth/refresh")] {
            let answer = server.client.request(method, path).send().await;
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }

    async fn the_page_of_the_api_cannot_be_framed_and_loads_its_own_files(db: testkit::Database) {
        let server = Server::start(db).await;
        for path in ["/docs/", "/docs/swagger-ui-bundle.js", "/docs/swagger-initializer.js"] {
            let answer = server.client.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            let policy = answer.header("content-security-policy");
            for part in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert_eq!(answer.header("x-frame-options"), "DENY");
        }
        let page = server.client.get("/docs/").await;
        assert!(!page.text.contains("<script>"), "a script within the page would not run");
        // Whatever is no page cannot be framed either.
        let answer = server.client.get("/openapi.json").await;
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
}
