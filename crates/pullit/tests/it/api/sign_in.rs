//! `/auth/…`, access tokens, and `/api/members/me`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;
use chrono::TimeDelta;
use pullit::auth::{AccessTokens, Secrets};
use serde_json::json;
use testkit::http::{Answer, Client, Method};

use crate::support::{Problem, Server, Setup};

const COOKIE: &str = "refresh_token";

async fn refresh(client: &Client) -> Answer {
    client.request(Method::POST, "/auth/refresh").send().await
}

/// Refreshes with this very token, as a tab does that has not seen a newer one.
async fn refresh_with(server: &Server, token: &str) -> Answer {
    let tab = Client::new(&server.url);
    tab.set_cookie(COOKIE, Some(token));
    refresh(&tab).await
}

async fn me(client: &Client, token: Option<&str>) -> Answer {
    client.set_bearer(token);
    client.get("/api/members/me").await
}

testkit::on_each_database! {
    async fn the_first_sign_in_makes_the_member_and_later_ones_find_it(db: testkit::Database) {
        let server = Server::start(db).await;
        let first = server.client.post("/auth/dev-login", &json!({"email": "a@pullit.test", "name": "가람"})).await;
        let token = first.expect(200)["accessToken"].as_str().unwrap().to_owned();
        let who = me(&server.client, Some(&token)).await.expect(200);
        assert_eq!(who, json!({"id": who["id"], "name": "가람", "email": "a@pullit.test"}));

        let again = server.member("a@pullit.test").await;
        assert_eq!(again.id, who["id"].as_i64().unwrap());
        let other = server.member("b@pullit.test").await;
        assert_ne!(other.id, again.id);
        assert_eq!(server.number("SELECT COUNT(*) FROM member").await, 2);
        server.stop().await;
    }

    async fn two_first_sign_ins_at_once_make_one_member(db: testkit::Database) {
        let server = Server::start(db).await;
        let (one, other) = tokio::join!(server.member("a@pullit.test"), server.member("a@pullit.test"));
        assert_eq!(one.id, other.id);
    }

    async fn a_sign_in_without_a_usable_email_names_the_field(db: testkit::Database) {
        let server = Server::start(db).await;
        for body in [json!({}), json!({"email": ""}), json!({"email": "nobody"}), json!({"email": "a@b c.test"}), json!({"email": 5})] {
            let answer = server.client.post("/auth/dev-login", &body).await;
            assert_eq!(answer.wrong_fields(), ["email"], "{body}");
        }
        let bad = server.client.request(Method::POST, "/auth/dev-login").bytes("application/json", "{email");
        bad.send().await.problem(400, "C_002");
        assert_eq!(server.number("SELECT COUNT(*) FROM member").await, 0);
    }

    async fn the_development_sign_in_is_not_there_when_it_is_off(db: testkit::Database) {
        let server = Setup::new().config(|config| config.auth.dev_login = false).start(db).await;
        let answer = server.client.post("/auth/dev-login", &json!({"email": "a@pullit.test"})).await;
        answer.problem(404, "C_004");
        assert_eq!(server.number("SELECT COUNT(*) FROM member").await, 0);
    }

    async fn the_refresh_cookie_is_kept_from_scripts_and_other_sites(db: testkit::Database) {
        let server = Server::start(db).await;
        let answer = server.client.post("/auth/dev-login", &json!({"email": "a@pullit.test"})).await;
        let cookie = answer.header("set-cookie").to_owned();
        let mut attributes = cookie.split("; ").skip(1).collect::<Vec<_>>();
        attributes.sort_unstable();
        assert_eq!(attributes, ["HttpOnly", "Max-Age=1209600", "Path=/auth", "SameSite=Lax"]);
        assert!(cookie.starts_with("refresh_token="));
    }

    async fn the_refresh_cookie_stays_on_https_where_the_service_is_reached_so(db: testkit::Database) {
        let setup = Setup::new().config(|config| config.http.public_url = "https://pullit.example".to_owned());
        let server = setup.start(db).await;
        let answer = server.client.get(&server.first_link().await).await;
        assert!(answer.header("set-cookie").split("; ").any(|attribute| attribute == "Secure"));
    }

    async fn a_refresh_gives_a_new_access_token_and_another_cookie(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let before = member.client.cookie(COOKIE).unwrap();
        let body = refresh(&member.client).await.expect(200);
        let token = body["accessToken"].as_str().unwrap();
        assert_eq!(me(&member.client, Some(token)).await.expect(200)["id"], member.id);
        assert_ne!(member.client.cookie(COOKIE).unwrap(), before);
    }

    async fn two_tabs_that_refresh_with_one_token_both_stay_signed_in(db: testkit::Database) {
        let server = Server::start(db).await;
        let token = server.member("a@pullit.test").await.client.cookie(COOKIE).unwrap();
        let (one, other) = tokio::join!(refresh_with(&server, &token), refresh_with(&server, &token));
        one.expect(200);
        other.expect(200);
        server.clock.advance(TimeDelta::seconds(5));
        refresh_with(&server, &token).await.expect(200);
    }

    async fn a_refresh_token_that_comes_back_after_its_grace_ends_the_whole_session(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let elsewhere = server.member("a@pullit.test").await;
        let stolen = member.client.cookie(COOKIE).unwrap();
        refresh(&member.client).await.expect(200);
        server.clock.advance(TimeDelta::seconds(11));
        refresh_with(&server, &stolen).await.problem(401, "A_003");
        refresh(&member.client).await.problem(401, "A_003");
        refresh(&elsewhere.client).await.expect(200);
    }

    async fn a_refresh_without_a_good_cookie_is_refused(db: testkit::Database) {
        let server = Server::start(db).await;
        refresh(&server.client).await.problem(401, "A_003");
        refresh_with(&server, "deadbeef").await.problem(401, "A_003");
        let member = server.member("a@pullit.test").await;
        server.clock.advance(TimeDelta::days(14) + TimeDelta::seconds(1));
        refresh(&member.client).await.problem(401, "A_003");
    }

    async fn a_sign_out_clears_the_cookie_and_ends_the_session(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let token = member.client.cookie(COOKIE).unwrap();
        let answer = member.client.request(Method::POST, "/auth/logout").send().await;
        assert!(answer.header("set-cookie").contains("Max-Age=0"));
        answer.expect(200);
        assert_eq!(member.client.cookie(COOKIE), None);
        refresh_with(&server, &token).await.problem(401, "A_003");
        // Nobody to sign out is no error.
        member.client.request(Method::POST, "/auth/logout").send().await.expect(200);
    }

    async fn an_access_token_lives_fifteen_minutes(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        server.clock.advance(TimeDelta::minutes(14));
        member.client.get("/api/members/me").await.expect(200);
        server.clock.advance(TimeDelta::minutes(2));
        member.client.get("/api/members/me").await.problem(401, "A_002");
        refresh(&member.client).await.expect(200);
    }

    async fn a_token_that_is_missing_forged_or_unsigned_is_refused(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let good = member.client.bearer().unwrap();
        let now = server.clock.time();
        let elsewhere = AccessTokens::new(&Secrets::from_text("some other secret, long enough as well"), TimeDelta::minutes(15));
        let forged = elsewhere.issue(member.id, "a session", now + TimeDelta::days(90), now).unwrap();
        let claims = B64.encode(json!({"sub": member.id.to_string(), "iat": now.timestamp(), "exp": now.timestamp() + 900}).to_string());
        let none = |alg: &str| format!("{}.{claims}.", B64.encode(json!({"alg": alg, "typ": "JWT"}).to_string()));
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let swapped = format!("{header}.{}.{signature}", B64.encode(json!({"sub": "1", "iat": 0, "exp": i64::MAX}).to_string()));
        let cut = good[..good.len() - 3].to_owned();
        for token in [forged, none("none"), none("None"), none("HS256"), swapped, cut, "garbage".to_owned(), String::new()] {
            me(&member.client, Some(&token)).await.problem(401, "A_001");
        }
        me(&member.client, None).await.problem(401, "A_001");
        let basic = member.client.request(Method::GET, "/api/members/me").header("authorization", &format!("Basic {good}"));
        basic.send().await.problem(401, "A_001");
        me(&member.client, Some(&good)).await.expect(200);
    }

    async fn a_token_of_a_member_who_is_gone_is_refused(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        server.change("DELETE FROM member WHERE id = $1", vec![member.id.into()]).await;
        member.client.get("/api/members/me").await.problem(401, "A_001");
        refresh(&member.client).await.problem(401, "A_003");
    }

    async fn a_banned_member_is_out_at_once(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        server.change("UPDATE member SET status = 'BANNED' WHERE id = $1", vec![member.id.into()]).await;
        member.client.get("/api/members/me").await.problem(403, "A_004");
        member.client.get("/api/notifications/subscribe").await.problem(403, "A_004");
        refresh(&member.client).await.problem(403, "A_004");
        let again = server.client.post("/auth/dev-login", &json!({"email": "a@pullit.test"})).await;
        again.problem(403, "A_004");
    }

    async fn a_token_of_one_node_is_good_on_another(db: testkit::Database) {
        let own_secret = || Setup::new().config(|config| config.auth.jwt_secret.clear());
        let server = own_secret().start(db).await;
        let member = server.member("a@pullit.test").await;
        let other = own_secret().start_beside(&server).await;
        assert_eq!(me(&other.client, member.client.bearer().as_deref()).await.expect(200)["id"], member.id);
        let cookie = member.client.cookie(COOKIE).unwrap();
        server.stop().await;
        refresh_with(&other, &cookie).await.expect(200);
    }

    async fn every_door_of_a_member_asks_for_a_token(db: testkit::Database) {
        let server = Server::start(db).await;
        for (method, path) in [
            (Method::GET, "/api/members/me"),
            (Method::POST, "/api/learning/source/upload"),
            (Method::POST, "/api/learning/source/upload-complete"),
            (Method::GET, "/api/learning/source"),
            (Method::DELETE, "/api/learning/source/1"),
            (Method::POST, "/api/question-set"),
            (Method::GET, "/api/question-set"),
            (Method::GET, "/api/question-set/all"),
            (Method::GET, "/api/question-set/1"),
            (Method::PATCH, "/api/question-set/1"),
            (Method::DELETE, "/api/question-set/1"),
            (Method::POST, "/api/marking"),
            (Method::GET, "/api/members/1/learn-stats"),
            (Method::GET, "/api/members/1/daily-stats"),
            (Method::GET, "/api/notifications/subscribe"),
            (Method::GET, "/admin/api/jobs"),
            (Method::POST, "/admin/api/jobs/sendHeartbeat/run"),
            (Method::POST, "/admin/api/jobs/sendHeartbeat/pause"),
            (Method::GET, "/admin/api/locks"),
            (Method::GET, "/admin/api/outbox"),
            (Method::GET, "/admin/api/members"),
            (Method::GET, "/admin/api/overview"),
            (Method::GET, "/admin/api/sse"),
        ] {
            let answer = server.client.request(method.clone(), path).json(&json!({})).send().await;
            assert_eq!(answer.status.as_u16(), 401, "{method} {path}: {}", answer.text);
            answer.problem(401, "A_001");
        }
    }

    async fn kakao_is_not_offered_by_this_version(db: testkit::Database) {
        let server = Server::start(db).await;
        for path in ["/oauth2/authorization/kakao?redirect_uri=http://localhost:5173/", "/login/oauth2/code/kakao?code=1"] {
            server.client.get(path).await.problem(501, "A_007");
        }
    }
}
