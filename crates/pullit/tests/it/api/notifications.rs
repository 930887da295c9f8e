//! `/api/notifications/subscribe`

use std::time::Duration;

use chrono::TimeDelta;
use pullit::platform::config::Span;
use pullit::platform::sql::{Dialects, SqlExt};
use pullit::server::Roles;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use testkit::http::Client;
use testkit::sse::{SseEvent, SseReader};
use testkit::wait;

use crate::support::{BOUND, Member, Server, Setup, StubGenerator, TestClock, at};

const DONE: &str = "questionSetCreationComplete";

async fn quick(db: testkit::Database) -> Server {
    Setup::new().generator(StubGenerator::new()).start(db).await
}

/// Has a set made, which gives one notification; the set's id.
async fn one_more(server: &Server, member: &Member, source: i64) -> i64 {
    let set = member.ask(&[source], "TRUE_FALSE", 1).await;
    server.settled().await;
    set
}

/// The set that an event tells of.
fn told(event: &SseEvent) -> i64 {
    let payload: Value = serde_json::from_str(&event.data).unwrap();
    payload["questionSetId"].as_i64().unwrap()
}

/// The next event but heartbeats.
async fn next(stream: &mut SseReader) -> SseEvent {
    loop {
        let event = stream.next().await;
        if event.event != "heartbeat" {
            return event;
        }
    }
}

/// Stores a notification as a script does, which wakes nobody.
const STORE: Dialects = Dialects {
    sqlite: "INSERT INTO notification (member_id, event_name, payload) \
        VALUES ($1, 'questionSetCreationComplete', json_object('questionSetId', $2))",
    postgres: "INSERT INTO notification (member_id, event_name, payload) \
        VALUES ($1, 'questionSetCreationComplete', jsonb_build_object('questionSetId', $2))",
};

async fn store(c: &impl ConnectionTrait, member: i64, set: i64) {
    let stored = c.run(STORE, vec![member.into(), set.into()]).await.unwrap();
    assert_eq!(stored, 1);
}

/// A node that is asleep unless it is woken.
fn only_woken() -> Setup {
    let setup = Setup::new().generator(StubGenerator::new());
    setup.config(|config| config.limits.notification_poll = Span::hours(1))
}

async fn shake_hands(member: &Member) -> SseReader {
    let mut stream = member.stream().await;
    assert_eq!(stream.next().await.event, "handShakeComplete");
    stream
}

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

    async fn who_comes_back_gets_what_was_missed_in_order_and_once(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let mut stream = shake_hands(&member).await;
        one_more(&server, &member, source).await;
        next(&mut stream).await;
        let last = stream.last_event_id().unwrap().to_owned();
        drop(stream);
        let mut missed = Vec::new();
        for _ in 0..3 {
            missed.push(one_more(&server, &member, source).await);
        }

        let by_query = member.stream_at(&format!("/api/notifications/subscribe?lastEventId={last}")).await;
        for mut stream in [member.stream_after(Some(&last)).await, by_query] {
            let hello = stream.next().await;
            assert_eq!((hello.event.as_str(), hello.data.as_str(), hello.id), ("reconnection", "connection established", None));
            for set in &missed {
                let event = next(&mut stream).await;
                assert_eq!((event.event.as_str(), told(&event)), (DONE, *set));
                assert!(event.id.is_some());
            }
            let live = one_more(&server, &member, source).await;
            missed.push(live);
            assert_eq!(told(&next(&mut stream).await), live);
        }
    }

    async fn an_id_that_is_none_of_the_members_is_answered_with_resync(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let theirs = server.ready_source(stranger.id, "text").await;
        one_more(&server, &stranger, theirs).await;
        let foreign = server.number("SELECT MAX(id) FROM notification").await.to_string();
        // Heard by an open stream, it is live for no later one.
        let mut steady = shake_hands(&member).await;
        one_more(&server, &member, source).await;
        next(&mut steady).await;
        for id in [foreign.as_str(), "999999", "0", "-1", "garbage", "1_1760000000000", "99999999999999999999"] {
            let mut stream = member.stream_after(Some(id)).await;
            assert_eq!(stream.next().await.event, "reconnection", "{id}");
            assert_eq!(next(&mut stream).await.event, "resync", "{id}");
            // The stream goes on from here.
            let live = one_more(&server, &member, source).await;
            assert_eq!(told(&next(&mut stream).await), live, "{id}");
        }
    }

    async fn an_id_from_before_what_is_kept_is_answered_with_resync(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        one_more(&server, &member, source).await;
        let old = server.number("SELECT MAX(id) FROM notification").await;
        one_more(&server, &member, source).await;
        server.change("DELETE FROM notification WHERE id <= $1", vec![old.into()]).await;
        let mut stream = member.stream_after(Some(&old.to_string())).await;
        assert_eq!(stream.next().await.event, "reconnection");
        assert_eq!(next(&mut stream).await.event, "resync");
    }

    async fn a_history_too_long_to_replay_is_answered_with_resync(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let many = |server: &Server, member: i64, count: i64| {
            let values = vec![member.into(), count.into()];
            let sqlite = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) \
                INSERT INTO notification (member_id, event_name, payload) \
                SELECT $1, 'questionSetCreationComplete', '{\"questionSetId\": ' || i || '}' FROM n";
            let postgres = "INSERT INTO notification (member_id, event_name, payload) \
                SELECT $1, 'questionSetCreationComplete', jsonb_build_object('questionSetId', i) FROM generate_series(1, $2) i";
            let db = server.app.db.clone();
            async move { db.write().run(Dialects { sqlite, postgres }, values).await.unwrap() }
        };
        assert_eq!(many(&server, member.id, 501).await, 501);
        let first = server.number("SELECT MIN(id) FROM notification").await;
        let mut whole = member.stream_after(Some(&first.to_string())).await;
        assert_eq!(whole.next().await.event, "reconnection");
        // The feed may bring the same rows while they are replayed: a stream that falls behind then ends, and its client resumes.
        let (mut last, mut set) = (first.to_string(), 2);
        while set <= 501 {
            let Some(event) = whole.next_or_end().await else {
                whole = member.stream_after(Some(&last)).await;
                continue;
            };
            assert_ne!(event.event, "resync", "after {last}");
            if event.event == DONE {
                assert_eq!(told(&event), set);
                last = event.id.unwrap();
                set += 1;
            }
        }
        many(&server, member.id, 1).await;
        let mut cut = member.stream_after(Some(&first.to_string())).await;
        assert_eq!(cut.next().await.event, "reconnection");
        assert_eq!(next(&mut cut).await.event, "resync");
    }

    async fn replay_and_live_meet_without_a_gap_and_without_a_repeat(db: testkit::Database) {
        let generator = StubGenerator::new();
        let server = Setup::new().generator(generator.clone()).start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let mut steady = shake_hands(&member).await;
        one_more(&server, &member, source).await;
        let first = next(&mut steady).await.id.unwrap();
        generator.hold();
        for _ in 0..40 {
            member.ask(&[source], "TRUE_FALSE", 1).await;
        }
        let coming_back = async {
            let (mut last, mut seen) = (first.clone(), Vec::new());
            while seen.len() < 40 {
                let mut stream = member.stream_after(Some(&last)).await;
                assert_eq!(stream.next().await.event, "reconnection");
                for _ in 0..3.min(40 - seen.len()) {
                    let event = next(&mut stream).await;
                    assert_eq!(event.event, DONE);
                    last = event.id.unwrap();
                    seen.push(last.clone());
                }
            }
            seen
        };
        let staying = async {
            let mut seen = Vec::new();
            while seen.len() < 40 {
                seen.push(next(&mut steady).await.id.unwrap());
            }
            seen
        };
        generator.release();
        let (one, other) = tokio::join!(coming_back, staying);
        assert_eq!(one, other);
        assert!(one.is_sorted_by_key(|id| id.parse::<i64>().unwrap()), "{one:?}");
    }

    async fn a_node_that_is_behind_sends_nothing_that_the_client_has_from_another(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let mut stream = shake_hands(&member).await;
        one_more(&server, &member, source).await;
        let seen = next(&mut stream).await;
        drop(stream);
        let id = seen.id.unwrap();
        let mut back = member.stream_after(Some(&id)).await;
        assert_eq!(back.next().await.event, "reconnection");
        // What this node's feed does when it reads late.
        let id = id.parse().unwrap();
        let late = sse_hub::Frame::event(DONE, Some(id), &seen.data);
        server.app.hub.publish(&member.id, id, late);
        let set = one_more(&server, &member, source).await;
        assert_eq!(told(&next(&mut back).await), set);
    }

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
        let server = Setup::new().config(|config| config.limits.streams_per_member = 2).start(db).await;
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
        let server = Setup::new().config(|config| config.limits.streams = 1).start(db).await;
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

    async fn a_node_hears_of_what_another_node_stored(db: testkit::Database) {
        let generator = StubGenerator::new();
        let working = Setup::new().generator(generator.clone()).start(db).await;
        let api = Roles { worker: false, relay: false, scheduler: false, api: true };
        let listening = Setup::new().generator(generator).roles(api).start_beside(&working).await;
        let member = listening.member("a@pullit.test").await;
        let source = listening.ready_source(member.id, "text").await;
        let mut stream = shake_hands(&member).await;
        let set = member.ask(&[source], "TRUE_FALSE", 1).await;
        assert_eq!(told(&next(&mut stream).await), set);
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

    async fn who_is_cut_off_before_the_first_notification_misses_none(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        one_more(&server, &member, source).await;
        let mut stream = shake_hands(&member).await;
        // What a browser would come back with: a place, and no notification's number.
        let place = stream.last_event_id().unwrap().to_owned();
        assert!(place.parse::<i64>().is_err(), "{place}");
        stream.next_named("heartbeat").await;
        drop(stream);
        let missed = [one_more(&server, &member, source).await, one_more(&server, &member, source).await];
        for _ in 0..2 {
            let mut back = member.stream_after(Some(&place)).await;
            assert_eq!(back.next().await.event, "reconnection");
            for set in missed {
                assert_eq!(told(&next(&mut back).await), set);
            }
        }
        // The place in a database that is long gone.
        let mut lost = member.stream_after(Some("since-999999")).await;
        assert_eq!(lost.next().await.event, "reconnection");
        assert_eq!(next(&mut lost).await.event, "resync");
        // Its place comes behind it. Once is enough: from there it goes on.
        lost.next_named("heartbeat").await;
        let place = lost.last_event_id().unwrap().to_owned();
        drop(lost);
        let set = one_more(&server, &member, source).await;
        let mut back = member.stream_after(Some(&place)).await;
        assert_eq!(back.next().await.event, "reconnection");
        assert_eq!(told(&next(&mut back).await), set);
    }

    async fn what_was_pruned_after_the_clients_id_is_answered_with_resync(db: testkit::Database) {
        let clock = TestClock::running();
        let setup = Setup::new().generator(StubGenerator::new()).clock(clock.clone());
        let server = setup.config(|config| config.retention.notifications_per_member = 3).start(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let (source, theirs) = (server.ready_source(member.id, "text").await, server.ready_source(stranger.id, "text").await);
        let fresh = shake_hands(&member).await;
        let place = fresh.last_event_id().unwrap().to_owned();
        let mut last = shake_hands(&stranger).await;
        one_more(&server, &stranger, theirs).await;
        let foreign = next(&mut last).await.id.unwrap();
        for _ in 0..5 {
            one_more(&server, &member, source).await;
        }
        let of_member = "SELECT id FROM notification WHERE member_id = $1 ORDER BY id";
        let ids = server.app.db.read().scalars::<i64, _>(of_member, vec![member.id.into()]).await.unwrap();
        assert_eq!(server.ran("pruneHistory").await, 2);
        for (id, missed) in [(place.clone(), None), (ids[0].to_string(), None), (ids[1].to_string(), None), (ids[2].to_string(), Some(2)), (ids[4].to_string(), Some(0))] {
            let mut stream = member.stream_after(Some(&id)).await;
            assert_eq!(stream.next().await.event, "reconnection", "{id}");
            match missed {
                None => assert_eq!(next(&mut stream).await.event, "resync", "{id}"),
                Some(missed) => {
                    for id in &ids[5 - missed..] {
                        assert_eq!(next(&mut stream).await.id, Some(id.to_string()));
                    }
                    assert_eq!(stream.next().await.event, "heartbeat", "{id}");
                }
            }
        }
        // By age, one in the middle, with a clock that went back: the row of the id is kept, and yet one after it is gone.
        let old = "UPDATE notification SET created_at = $1 WHERE id = $2";
        server.change(old, vec![(clock.time() - TimeDelta::days(31)).into(), ids[3].into()]).await;
        assert_eq!(server.ran("pruneHistory").await, 1);
        for (id, resync) in [(ids[2], true), (ids[4], false)] {
            let mut stream = member.stream_after(Some(&id.to_string())).await;
            assert_eq!(stream.next().await.event, "reconnection", "{id}");
            assert_eq!(stream.next().await.event == "resync", resync, "{id}");
        }
        // Nobody else lost anything.
        let mut other = stranger.stream_after(Some(&foreign)).await;
        assert_eq!(other.next().await.event, "reconnection");
        assert_eq!(other.next().await.event, "heartbeat");
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

#[tokio::test]
async fn a_notification_wakes_every_node_and_a_listener_that_was_cut_reads_what_it_missed() {
    let working = only_woken()
        .start(testkit::Database::postgres().await)
        .await;
    let api = Roles {
        worker: false,
        relay: false,
        scheduler: false,
        api: true,
    };
    let listening = only_woken().roles(api).start_beside(&working).await;
    let member = working.member("a@pullit.test").await;
    let there = listening.member("a@pullit.test").await;
    let source = working.ready_source(member.id, "text").await;
    let mut streams = [shake_hands(&member).await, shake_hands(&there).await];
    let listeners = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %pullit_notification%'";
    working.until_number(listeners, 2).await;
    for _ in 0..3 {
        let set = one_more(&working, &member, source).await;
        for stream in &mut streams {
            assert_eq!(told(&next(stream).await), set);
        }
    }
    for set in 1..=3 {
        store(working.app.db.write(), member.id, set).await;
        let cut = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE datname = current_database() AND query LIKE 'LISTEN %pullit_notification%'";
        assert_eq!(working.number(cut).await, 2);
        for stream in &mut streams {
            assert_eq!(told(&next(stream).await), set);
        }
        working.until_number(listeners, 2).await;
    }
}

#[tokio::test]
async fn a_smaller_id_that_commits_after_a_larger_one_is_sent_before_it() {
    let server = quick(testkit::Database::postgres().await).await;
    let member = server.member("a@pullit.test").await;
    let stranger = server.member("b@pullit.test").await;
    store(server.app.db.write(), member.id, 1).await;
    let mut stream = shake_hands(&member).await;
    let place = stream.last_event_id().unwrap().to_owned();
    let late = server.app.db.begin().await.unwrap();
    store(&late, member.id, 2).await;
    let early = server.app.db.begin().await.unwrap();
    store(&early, member.id, 3).await;
    store(&early, stranger.id, 4).await;
    early.commit().await.unwrap();
    // Both doors wait: that to an open stream, and that to a client that comes back, which looks at the store itself.
    let mut back = member.stream_after(Some(&place)).await;
    assert_eq!(back.next().await.event, "reconnection");
    for stream in [&mut back, &mut stream] {
        assert_eq!(stream.next().await.event, "heartbeat");
    }
    // A writer who comes later is not waited for.
    let open = server.app.db.begin().await.unwrap();
    store(&open, stranger.id, 5).await;
    late.commit().await.unwrap();
    for stream in [&mut back, &mut stream] {
        for set in [2, 3] {
            assert_eq!(told(&next(stream).await), set);
        }
    }
    open.rollback().await.unwrap();
}
