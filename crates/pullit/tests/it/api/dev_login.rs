//! `/auth/dev-login`: for this machine alone, and for nobody who is an operator.

use serde_json::json;
use testkit::http::{Answer, Method};

use crate::support::{Problem, Server, Setup};

async fn sign_in(server: &Server, headers: &[(&str, &str)]) -> Answer {
    let mut request = server.client.request(Method::POST, "/auth/dev-login");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request
        .json(&json!({"email": "a@pullit.test"}))
        .send()
        .await
}

testkit::on_each_database! {
    async fn the_development_sign_in_signs_in_no_operator(db: testkit::Database) {
        let server = Server::start(db).await;
        let operator = server.admin("a@pullit.test").await;
        let sessions = server.number("SELECT COUNT(*) FROM refresh_token").await;
        let answer = sign_in(&server, &[]).await;
        assert_eq!(answer.header("set-cookie"), "");
        answer.problem(403, "A_009");
        assert_eq!(server.number("SELECT COUNT(*) FROM refresh_token").await, sessions);
        server.change("UPDATE member SET role = 'MEMBER' WHERE id = $1", vec![operator.id.into()]).await;
        sign_in(&server, &[]).await.expect(200);
    }

    async fn the_development_sign_in_refuses_what_shows_a_proxy(db: testkit::Database) {
        let server = Server::start(db).await;
        for (name, value) in [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-server", "proxy"),
            ("cf-connecting-ip", "203.0.113.7"),
            ("true-client-ip", "203.0.113.7"),
            ("via", "1.1 proxy"),
            ("forwarded", "for=203.0.113.7"),
            ("x-real-ip", "203.0.113.7"),
            ("x-forwarded-ssl", "on"),
            ("x-original-forwarded-for", "203.0.113.7"),
            ("x-client-ip", "203.0.113.7"),
            ("fastly-client-ip", "203.0.113.7"),
            ("x-envoy-external-address", "203.0.113.7"),
            ("host", "pullit.example"),
            ("host", "127.0.0.1.evil.example:80"),
            ("host", "localhost.:80"),
        ] {
            sign_in(&server, &[(name, value)]).await.problem(403, "A_006");
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM member").await, 0);
    }

    async fn the_development_sign_in_needs_http_1_1_as_no_old_proxy_speaks_it(db: testkit::Database) {
        let server = Server::start(db).await;
        let body = r#"{"email":"a@pullit.test"}"#;
        let request = |version: &str| {
            format!("POST /auth/dev-login HTTP/{version}\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        };
        assert!(super::edge::raw(&server, &request("1.0")).await.contains("A_006"));
        assert!(super::edge::raw(&server, &request("1.1")).await.contains("accessToken"));
    }

    async fn the_development_sign_in_is_closed_where_browsers_come_from_elsewhere(db: testkit::Database) {
        let setup = Setup::new().config(|config| config.http.public_url = "https://pullit.example".to_owned());
        let server = setup.start(db).await;
        sign_in(&server, &[]).await.problem(403, "A_006");
    }

    async fn a_page_of_another_site_cannot_use_sign_in_refresh_or_sign_out(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let token = member.client.cookie("refresh_token");
        for path in ["/auth/dev-login", "/auth/refresh", "/auth/logout"] {
            for foreign in [&[("origin", "https://evil.example")][..], &[("origin", "null")], &[("sec-fetch-site", "cross-site")], &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:1")]] {
                let mut request = member.client.request(Method::POST, path);
                for (name, value) in foreign {
                    request = request.header(name, value);
                }
                request.json(&json!({"email": "a@pullit.test"})).send().await.problem(403, "A_008");
            }
        }
        assert_eq!(member.client.cookie("refresh_token"), token);
        for own in [("origin", server.url.as_str()), ("origin", "http://localhost:5173"), ("sec-fetch-site", "same-origin")] {
            let request = member.client.request(Method::POST, "/auth/refresh").header(own.0, own.1);
            request.send().await.expect(200);
        }
    }
}
