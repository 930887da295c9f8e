//! Who is refused a stream, and how one ends.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use testkit::http::Client;
use testkit::wait;

use super::{quick, shake_hands};
use crate::support::{BOUND, Setup, StubGenerator, TestClock, at};

testkit::on_each_database! {
    async fn the_stream_ends_with_the_life_of_the_token(db: testkit::Database) {
        let clock = TestClock::still(at("2026-11-22T03:00:00Z"));
        let server = Setup::new().clock(clock.clone()).start(db).await;
        let member = server.member("a@pullit.test").await;
        clock.advance(TimeDelta::seconds(15 * 60 - 1));
        let mut stream = shake_hands(&member).await;
        let events = stream.rest().await;
        assert_eq!(events.last().unwrap().event, "tokenExpired");
    }

    async fn over_the_limit_of_a_member_the_oldest_stream_gives_way(db: testkit::Database) {
        let server = Setup::new().config(|config| config.notification.streams_per_member = 2).start(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let mut untouched = shake_hands(&stranger).await;
        let mut oldest = shake_hands(&member).await;
        let mut second = shake_hands(&member).await;
        let mut third = shake_hands(&member).await;
        oldest.rest().await;
        assert!(oldest.retry().unwrap() >= Duration::from_secs(30), "{:?}", oldest.retry());
        for stream in [&mut second, &mut third, &mut untouched] {
            stream.next_named("heartbeat").await;
        }
    }

    async fn over_the_limit_of_the_node_a_stream_is_refused_without_an_error(db: testkit::Database) {
        let server = Setup::new().config(|config| config.notification.streams = 1).start(db).await;
        let first = server.member("a@pullit.test").await;
        let second = server.member("b@pullit.test").await;
        let mut held = shake_hands(&first).await;
        // Any status but 200 would end a browser's EventSource for good.
        let mut refused = second.stream().await;
        assert_eq!(refused.rest().await, []);
        assert!(refused.retry().unwrap() >= Duration::from_secs(30), "{:?}", refused.retry());
        held.next_named("heartbeat").await;
        drop(held);
        wait::until("the place is free", BOUND, async || {
            second.stream().await.next_or_end().await.is_some_and(|event| event.event == "handShakeComplete")
        })
        .await;
    }

    async fn a_node_that_stops_ends_its_streams_and_says_when_to_come_back(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let mut stream = shake_hands(&member).await;
        let ((), events) = tokio::join!(server.stop(), stream.rest());
        assert!(events.iter().all(|event| event.event == "heartbeat"), "{events:?}");
        let retry = stream.retry().unwrap();
        assert!((Duration::from_secs(1)..=Duration::from_secs(5)).contains(&retry), "{retry:?}");
    }

    async fn an_operator_who_bans_a_member_ends_their_streams(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let admin = server.admin("admin@pullit.test").await;
        let mut stream = shake_hands(&member).await;
        let path = format!("/admin/api/members/{}/ban", member.id);
        admin.client.post(&path, &json!({})).await.expect(204);
        stream.rest().await;
        let out = Client::new(&server.url);
        out.set_bearer(member.client.bearer().as_deref());
        assert_eq!(out.get("/api/notifications/subscribe").await.status.as_u16(), 403);
    }

    async fn a_member_who_is_banned_elsewhere_or_by_a_script_loses_the_streams_here_too(db: testkit::Database) {
        let here = quick(db).await;
        let there = Setup::new().generator(StubGenerator::new()).start_beside(&here).await;
        let admin = there.admin("admin@pullit.test").await;
        let mut untouched = shake_hands(&here.member("c@pullit.test").await).await;
        for (email, by_script) in [("a@pullit.test", false), ("b@pullit.test", true)] {
            let member = here.member(email).await;
            let mut stream = shake_hands(&member).await;
            if by_script {
                here.change("UPDATE member SET status = 'BANNED' WHERE id = $1", vec![member.id.into()]).await;
            } else {
                let path = format!("/admin/api/members/{}/ban", member.id);
                admin.client.post(&path, &json!({})).await.expect(204);
            }
            stream.rest().await;
        }
        untouched.next_named("heartbeat").await;
    }
}
