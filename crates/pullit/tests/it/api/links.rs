//! One-time links, by which operators sign in.

use chrono::TimeDelta;
use testkit::http::{Client, Method};

use crate::support::{Problem, Server, Setup};

testkit::on_each_database! {
    async fn a_link_signs_an_operator_in_to_the_console_once(db: testkit::Database) {
        let server = Server::start(db).await;
        let link = server.first_link().await;
        let browser = Client::new(&server.url);
        let answer = browser.get(&link).await;
        assert_eq!((answer.header("location"), answer.header("cache-control")), ("/admin", "no-store"));
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.header("set-cookie").contains("; HttpOnly; SameSite=Lax; Path=/auth;"));
        answer.expect(302);
        browser.refresh().await;
        browser.get("/admin/api/overview").await.expect(200);

        let again = server.client.get(&link).await;
        assert_eq!(again.header("set-cookie"), "");
        again.problem(410, "A_010");
        browser.get("/admin/api/overview").await.expect(200);
    }

    async fn of_many_who_open_a_link_at_once_one_is_signed_in(db: testkit::Database) {
        let server = Server::start(db).await;
        let link = server.first_link().await;
        let open = || async { Client::new(&server.url).get(&link).await.status.as_u16() };
        let mut answers = [open(), open(), open(), open()].map(Box::pin);
        let mut answers = futures::future::join_all(answers.iter_mut()).await;
        answers.sort_unstable();
        assert_eq!(answers, [302, 410, 410, 410]);
    }

    async fn a_link_is_valid_for_five_minutes_and_stored_as_a_hash(db: testkit::Database) {
        let server = Server::start(db).await;
        let link = server.first_link().await;
        let (_, token) = link.split_once('=').unwrap();
        let shown: i64 = server.value("SELECT COUNT(*) FROM sign_in_link WHERE token_hash = $1", vec![token.into()]).await;
        assert_eq!(shown, 0);
        server.clock.advance(TimeDelta::minutes(5));
        server.client.get(&link).await.problem(410, "A_010");
        for unknown in ["/auth/link", "/auth/link?token=", "/auth/link?token=deadbeef"] {
            server.client.get(unknown).await.problem(410, "A_010");
        }
    }

    async fn who_only_looks_at_a_link_does_not_use_it_up(db: testkit::Database) {
        let server = Server::start(db).await;
        let link = server.first_link().await;
        let head = server.client.request(Method::HEAD, &link).send().await;
        assert_eq!((head.status.as_u16(), head.header("set-cookie")), (405, ""));
        let ahead = server.client.request(Method::GET, &link).header("sec-purpose", "prefetch;prerender");
        ahead.send().await.problem(503, "C_008");
        server.client.get(&link).await.expect(302);
    }

    async fn the_record_says_who_made_a_link_and_who_used_it(db: testkit::Database) {
        let server = Server::start(db).await;
        let link = server.first_link().await;
        assert_eq!(server.text("SELECT used_from FROM sign_in_link", vec![]).await, "");
        server.client.get(&link).await.expect(302);
        assert_eq!(server.text("SELECT made_by FROM sign_in_link", vec![]).await, "test");
        assert_eq!(server.text("SELECT used_from FROM sign_in_link", vec![]).await, "127.0.0.1");
        assert_eq!(server.number("SELECT COUNT(*) FROM sign_in_link WHERE used_at IS NOT NULL").await, 1);
    }

    async fn the_record_names_the_client_behind_a_proxy_that_is_trusted(db: testkit::Database) {
        let trusted = vec!["127.0.0.1".to_owned()];
        let server = Setup::new().config(|config| config.http.trusted_proxies = trusted).start(db).await;
        let link = server.first_link().await;
        let request = server.client.request(Method::GET, &link).header("x-forwarded-for", "203.0.113.7");
        request.send().await.expect(302);
        assert_eq!(server.text("SELECT used_from FROM sign_in_link", vec![]).await, "203.0.113.7");
    }

    async fn a_link_of_who_was_banned_meanwhile_signs_nobody_in(db: testkit::Database) {
        let server = Server::start(db).await;
        let link = server.first_link().await;
        server.change("UPDATE member SET status = 'BANNED'", vec![]).await;
        server.client.get(&link).await.problem(403, "A_004");
        assert_eq!(server.number("SELECT COUNT(*) FROM session").await, 0);
    }

    async fn the_first_link_is_of_the_first_operator_that_there_is(db: testkit::Database) {
        let server = Setup::new().start(db).await;
        let operator = server.admin("op@pullit.test").await;
        let browser = Client::new(&server.url);
        browser.follow_link(&server.first_link().await).await;
        assert_eq!(browser.get("/api/members/me").await.expect(200)["id"], operator.id);
        assert_eq!(server.number("SELECT COUNT(*) FROM member").await, 1);
    }
}
