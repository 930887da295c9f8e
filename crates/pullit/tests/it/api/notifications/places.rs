//! What a client is told of what is kept no more, and where it can come back to.

use chrono::TimeDelta;
use ground::Statements;

use super::{next, one_more, quick, shake_hands, told};
use crate::support::{Setup, StubGenerator, TestClock};

testkit::on_each_database! {
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
    async fn where_all_was_pruned_resync_is_said_once_and_a_node_that_starts_then_knows_the_places(db: testkit::Database) {
        let clock = TestClock::running();
        let setup = Setup::new().generator(StubGenerator::new()).clock(clock.clone());
        let server = setup.start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let fresh = shake_hands(&member).await;
        let before = fresh.last_event_id().unwrap().to_owned();
        one_more(&server, &member, source).await;
        let after = shake_hands(&member).await.last_event_id().unwrap().to_owned();
        server.change("UPDATE notification SET created_at = $1", vec![(clock.time() - TimeDelta::days(31)).into()]).await;
        assert_eq!(server.ran("pruneHistory").await, 1);
        let late = Setup::new().generator(StubGenerator::new()).clock(clock).start_beside(&server).await;
        let there = late.member("a@pullit.test").await;
        let mut missed = there.stream_after(Some(&before)).await;
        assert_eq!(missed.next().await.event, "reconnection");
        assert_eq!(next(&mut missed).await.event, "resync");
        missed.next_named("heartbeat").await;
        let told = missed.last_event_id().unwrap().to_owned();
        for place in [after, told] {
            let mut back = there.stream_after(Some(&place)).await;
            assert_eq!(back.next().await.event, "reconnection", "{place}");
            assert_eq!(back.next().await.event, "heartbeat", "{place}");
        }
    }
}
