//! What an open stream is sent.

use serde_json::{Value, json};

use super::{DONE, next, one_more, quick, shake_hands, told};
use crate::support::{Setup, StubGenerator};

testkit::on_each_database! {
    async fn a_first_connection_is_greeted_and_hears_of_a_set_that_is_made(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let mut stream = member.stream().await;
        let hello = stream.next().await;
        assert_eq!(hello.event, "handShakeComplete");
        assert_eq!(hello.data, format!("EventStream Created. userId: {}", member.id));
        assert_eq!(hello.id, None);

        let set = member.ask(&[source], "TRUE_FALSE", 1).await;
        let done = next(&mut stream).await;
        assert_eq!(done.event, DONE);
        let payload: Value = serde_json::from_str(&done.data).unwrap();
        assert_eq!(payload, json!({"success": true, "questionSetId": set, "message": "'자료' 문제집이 완성되었습니다."}));
        let stored: i64 = server.value("SELECT id FROM notification", vec![]).await;
        assert_eq!(done.id, Some(stored.to_string()));
        // It is said when it is so.
        assert_eq!(member.set(set).await.expect(200)["status"], "COMPLETE");
        server.stop().await;
    }

    async fn a_set_that_failed_is_told_with_what_comes_next(db: testkit::Database) {
        let generator = StubGenerator::new();
        let server = Setup::new().generator(generator.clone()).start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let mut stream = shake_hands(&member).await;
        for (retried, ending) in [(true, "잠시 후 자동으로 다시 시도합니다."), (false, "자동으로 다시 시도하지 않습니다.")] {
            if retried {
                generator.fail_once();
            } else {
                generator.fail_for_good();
            }
            let set = member.ask(&[source], "TRUE_FALSE", 1).await;
            let done = next(&mut stream).await;
            assert_eq!((done.event.as_str(), told(&done)), (DONE, set));
            let payload: Value = serde_json::from_str(&done.data).unwrap();
            assert_eq!(payload["success"], false);
            assert!(payload["message"].as_str().unwrap().ends_with(ending), "{payload}");
        }
    }

    async fn a_heartbeat_is_a_ping_without_an_id(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let mut stream = shake_hands(&member).await;
        let beat = stream.next_named("heartbeat").await;
        assert_eq!((beat.data.as_str(), beat.id), ("ping", None));
        assert_eq!(server.number("SELECT COUNT(*) FROM notification").await, 0);
    }

    async fn every_tab_of_a_member_gets_every_event_and_nobody_else_does(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let theirs = server.ready_source(stranger.id, "text").await;
        let mut other = shake_hands(&stranger).await;
        let (mut one, mut two) = (shake_hands(&member).await, shake_hands(&member).await);
        let first = one_more(&server, &member, source).await;
        let second = one_more(&server, &member, source).await;
        let foreign = one_more(&server, &stranger, theirs).await;
        for tab in [&mut one, &mut two] {
            assert_eq!(told(&next(tab).await), first);
            assert_eq!(told(&next(tab).await), second);
        }
        assert_eq!(told(&next(&mut other).await), foreign);
    }

    async fn an_operator_sees_how_quick_the_streams_are(db: testkit::Database) {
        let server = quick(db).await;
        let admin = server.admin("admin@pullit.test").await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let mut tabs = [shake_hands(&member).await, shake_hands(&member).await];
        one_more(&server, &member, source).await;
        for tab in &mut tabs {
            next(tab).await;
            tab.next_named("heartbeat").await;
        }
        let streams = admin.client.get("/admin/api/sse").await.expect(200);
        assert_eq!((&streams["connections"], &streams["members"], &streams["eventsSent"]), (&json!(2), &json!(1), &json!(2)), "{streams}");
        // Whatever stands between them and the router: a stream that stays with the HTTP server costs ten times as much.
        assert_eq!(streams["onSockets"], 2, "{streams}");
        assert!(streams["heartbeatsSent"].as_u64() >= Some(2), "{streams}");
        assert_eq!(streams["deliveryMillis"]["count"], 2, "{streams}");
        assert!(streams["heartbeatMillis"]["count"].as_u64() >= Some(1), "{streams}");
        for time in [&streams["delayMillis"]["last"], &streams["delayMillis"]["longest"], &streams["deliveryMillis"]["longest"]] {
            assert!(time.as_f64() > Some(0.0) && time.as_f64() < Some(30_000.0), "{streams}");
        }
        let metrics = server.client.get("/metrics").await.text;
        for name in ["notification_delay_seconds_count", "sse_delivery_seconds_count", "sse_heartbeat_lag_seconds_count", "sse_connections"] {
            assert!(metrics.contains(name), "{name}");
        }
    }

    async fn a_stream_tells_those_between_to_keep_nothing_back(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let answer = testkit::http::direct()
            .get(format!("{}/api/notifications/subscribe", server.url))
            .bearer_auth(member.client.bearer().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store, no-transform");
        assert_eq!(header("x-accel-buffering"), "no");
    }
}

#[tokio::test]
async fn a_notification_that_nobody_can_read_keeps_none_back() {
    let server = quick(testkit::Database::sqlite()).await;
    let member = server.member("a@pullit.test").await;
    let other = server.member("b@pullit.test").await;
    let source = server.ready_source(member.id, "text").await;
    let theirs = server.ready_source(other.id, "text").await;
    let mut streams = [shake_hands(&member).await, shake_hands(&other).await];
    let first = one_more(&server, &member, source).await;
    let last = next(&mut streams[0]).await;
    assert_eq!(told(&last), first);
    // No text, no JSON, and no time.
    let stored =
        "INSERT INTO notification (member_id, event_name, payload) VALUES ($1, 'told', X'ff')";
    server.change(stored, vec![member.id.into()]).await;
    let stored =
        "INSERT INTO notification (member_id, event_name, payload) VALUES ($1, 'told', 'hello')";
    server.change(stored, vec![member.id.into()]).await;
    let stored = "INSERT INTO notification (member_id, event_name, payload, created_at) VALUES ($1, 'told', '{}', 'yesterday')";
    server.change(stored, vec![member.id.into()]).await;
    let sets = [
        one_more(&server, &member, source).await,
        one_more(&server, &other, theirs).await,
    ];
    for (stream, set) in streams.iter_mut().zip(sets) {
        assert_eq!(told(&next(stream).await), set);
    }
    let mut back = member.stream_after(last.id.as_deref()).await;
    assert_eq!(back.next().await.event, "reconnection");
    assert_eq!(told(&next(&mut back).await), sets[0]);
}
