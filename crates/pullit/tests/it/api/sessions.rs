//! Sessions: one chain of refresh tokens, an absolute end, and access tokens that die with them.

use chrono::TimeDelta;
use serde_json::json;
use testkit::http::{Answer, Client, Method};

use crate::support::{Member, Problem, Server, Setup};

const COOKIE: &str = "refresh_token";

/// Refreshes with this very token, as a tab does that has not seen a newer one.
async fn refresh_with(server: &Server, token: &str) -> Answer {
    let tab = Client::new(&server.url);
    tab.set_cookie(COOKIE, Some(token));
    tab.request(Method::POST, "/auth/refresh").send().await
}

/// The refresh token that an answer set.
#[track_caller]
fn successor(answer: Answer) -> String {
    let cookie = answer.header("set-cookie").to_owned();
    answer.expect(200);
    let pair = cookie.split(';').next().unwrap();
    pair.strip_prefix("refresh_token=").unwrap().to_owned()
}

async fn first_token(server: &Server) -> String {
    let member = server.member("a@pullit.test").await;
    member.client.cookie(COOKIE).unwrap()
}

testkit::on_each_database! {
    async fn tabs_that_refresh_at_once_get_one_and_the_same_token(db: testkit::Database) {
        let server = Server::start(db).await;
        let token = first_token(&server).await;
        let (one, other) = tokio::join!(refresh_with(&server, &token), refresh_with(&server, &token));
        let one = successor(one);
        assert_eq!(one, successor(other));
        server.clock.advance(TimeDelta::seconds(5));
        assert_eq!(one, successor(refresh_with(&server, &token).await));
        assert_eq!(server.number("SELECT COUNT(*) FROM refresh_token").await, 2);
    }

    async fn a_tab_that_was_left_behind_within_the_grace_gets_the_newest_token(db: testkit::Database) {
        let server = Server::start(db).await;
        let token = first_token(&server).await;
        let second = successor(refresh_with(&server, &token).await);
        let third = successor(refresh_with(&server, &second).await);
        assert_eq!(successor(refresh_with(&server, &token).await), third);
        assert_eq!(server.number("SELECT COUNT(*) FROM refresh_token").await, 3);
    }

    async fn a_token_stolen_within_its_grace_does_not_fork_the_session(db: testkit::Database) {
        let server = Server::start(db).await;
        let token = first_token(&server).await;
        let owner = successor(refresh_with(&server, &token).await);
        let thief = successor(refresh_with(&server, &token).await);
        server.clock.advance(TimeDelta::minutes(10));
        let thief = successor(refresh_with(&server, &thief).await);
        server.clock.advance(TimeDelta::minutes(10));
        // The owner's next step shows that there are two.
        refresh_with(&server, &owner).await.problem(401, "A_003");
        refresh_with(&server, &thief).await.problem(401, "A_003");
    }

    async fn an_old_token_that_comes_back_after_its_own_end_ends_the_session_too(db: testkit::Database) {
        let server = Server::start(db).await;
        let token = first_token(&server).await;
        let second = successor(refresh_with(&server, &token).await);
        server.clock.advance(TimeDelta::days(13));
        let third = successor(refresh_with(&server, &second).await);
        server.clock.advance(TimeDelta::days(2));
        refresh_with(&server, &token).await.problem(401, "A_003");
        refresh_with(&server, &third).await.problem(401, "A_003");
    }

    async fn a_table_of_hashes_shows_no_token(db: testkit::Database) {
        let server = Server::start(db).await;
        let token = first_token(&server).await;
        let next = successor(refresh_with(&server, &token).await);
        assert_ne!(token, next);
        for token in [token, next] {
            let shown: i64 = server.value("SELECT COUNT(*) FROM refresh_token WHERE token_hash = $1", vec![token.into()]).await;
            assert_eq!(shown, 0);
        }
    }

    async fn a_session_ends_after_ninety_days_however_often_it_is_refreshed(db: testkit::Database) {
        let server = Server::start(db).await;
        let mut token = first_token(&server).await;
        for _ in 0..8 {
            server.clock.advance(TimeDelta::days(11));
            token = successor(refresh_with(&server, &token).await);
        }
        server.clock.advance(TimeDelta::days(1) + TimeDelta::hours(23));
        let answer = refresh_with(&server, &token).await;
        // The cookie ends with the session, too.
        let cookie = answer.header("set-cookie");
        assert!(["Max-Age=3600", "Max-Age=3599"].iter().any(|age| cookie.ends_with(age)), "{cookie}");
        token = successor(answer);
        server.clock.advance(TimeDelta::hours(1));
        refresh_with(&server, &token).await.problem(401, "A_003");
    }

    async fn an_access_token_dies_with_its_session_on_every_node(db: testkit::Database) {
        let server = Server::start(db).await;
        let other = Setup::new().start_beside(&server).await;
        let member = server.member("a@pullit.test").await;
        let elsewhere = server.member("a@pullit.test").await;
        let there = Client::new(&other.url);
        there.set_bearer(member.client.bearer().as_deref());
        there.get("/api/members/me").await.expect(200);
        member.client.request(Method::POST, "/auth/logout").send().await.expect(200);
        member.client.get("/api/members/me").await.problem(401, "A_001");
        there.get("/api/members/me").await.problem(401, "A_001");
        there.get("/api/notifications/subscribe").await.problem(401, "A_001");
        elsewhere.client.get("/api/members/me").await.expect(200);
    }

    async fn the_access_tokens_of_a_stolen_session_die_when_it_is_found_out(db: testkit::Database) {
        let server = Server::start(db).await;
        let token = first_token(&server).await;
        let thief = Client::new(&server.url);
        let access = refresh_with(&server, &token).await.expect(200);
        thief.set_bearer(access["accessToken"].as_str());
        thief.get("/api/members/me").await.expect(200);
        server.clock.advance(TimeDelta::seconds(11));
        refresh_with(&server, &token).await.problem(401, "A_003");
        thief.get("/api/members/me").await.problem(401, "A_001");
    }

    async fn an_unbanned_member_has_the_status_of_before_and_no_old_session(db: testkit::Database) {
        let server = Server::start(db).await;
        let operator = server.admin("op@pullit.test").await;
        let member = server.member("a@pullit.test").await;
        for before in ["ACTIVE", "INACTIVE"] {
            server.change("UPDATE member SET status = $2 WHERE id = $1", vec![member.id.into(), before.into()]).await;
            // Twice, as a second click does.
            for _ in 0..2 {
                operator.client.post(&format!("/admin/api/members/{}/ban", member.id), &json!({})).await.expect(204);
                member.client.get("/api/members/me").await.problem(403, "A_004");
            }
            for _ in 0..2 {
                operator.client.post(&format!("/admin/api/members/{}/unban", member.id), &json!({})).await.expect(204);
            }
            let status = server.app.members.get(member.id).await.unwrap().unwrap().status.name();
            assert_eq!(status, before);
        }
        server.change("UPDATE member SET status = 'ACTIVE' WHERE id = $1", vec![member.id.into()]).await;
        member.client.get("/api/members/me").await.problem(401, "A_001");
    }

    async fn sessions_are_pruned_with_their_last_token(db: testkit::Database) {
        let server = Server::start(db).await;
        server.member("a@pullit.test").await;
        server.clock.advance(TimeDelta::days(20));
        server.ran("pruneHistory").await;
        assert_eq!(server.number("SELECT COUNT(*) FROM session").await, 1);
        server.clock.advance(TimeDelta::days(2));
        server.ran("pruneHistory").await;
        assert_eq!(server.number("SELECT COUNT(*) FROM session").await, 0);
    }

    async fn a_stream_ends_with_its_session_on_every_node(db: testkit::Database) {
        let server = Server::start(db).await;
        let other = Setup::new().start_beside(&server).await;
        let member = server.member("a@pullit.test").await;
        let elsewhere = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let there = Client::new(&other.url);
        there.set_bearer(member.client.bearer().as_deref());
        let mut streams = [member.stream().await, Member { id: member.id, client: there }.stream().await];
        let mut unconcerned = stranger.stream().await;
        for stream in &mut streams {
            stream.next_named("handShakeComplete").await;
        }
        member.client.request(Method::POST, "/auth/logout").send().await.expect(200);
        for mut stream in streams {
            stream.next_named("tokenExpired").await;
            stream.rest().await;
        }
        // Who is signed in elsewhere comes back.
        elsewhere.stream().await.next_named("handShakeComplete").await;
        unconcerned.next_named("heartbeat").await;
    }

    async fn a_session_from_before_sessions_had_rows_goes_on_and_ends_in_time(db: testkit::Database) {
        let server = Server::start(db).await;
        let token = first_token(&server).await;
        server.clock.advance(TimeDelta::days(10));
        server.change("DELETE FROM session", vec![]).await;
        let mut token = successor(refresh_with(&server, &token).await);
        assert_eq!(server.number("SELECT COUNT(*) FROM session").await, 1);
        for _ in 0..7 {
            server.clock.advance(TimeDelta::days(11));
            token = successor(refresh_with(&server, &token).await);
        }
        // Ninety days from the sign-in, not from the row.
        server.clock.advance(TimeDelta::days(3));
        refresh_with(&server, &token).await.problem(401, "A_003");
    }
}
