//! What a client that comes back with a notification's id is sent.

use ground::{Dialects, Statements};

use super::{DONE, next, one_more, quick, shake_hands, told};
use crate::support::{Server, Setup, StubGenerator};

testkit::on_each_database! {
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
}
