//! Streams on one node, and what is stored through another.

use std::time::Duration;

use ground::Statements;
use pullit::server::Roles;

use super::{next, one_more, only_woken, quick, shake_hands, store, told};
use crate::support::{Setup, StubGenerator};

testkit::on_each_database! {
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
    let listeners = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'wake-ups of pullit_notification' AND query LIKE 'LISTEN %'";
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
            WHERE datname = current_database() AND application_name = 'wake-ups of pullit_notification'";
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
    let mut late = server.app.db.begin().await.unwrap();
    store(&mut late, member.id, 2).await;
    let mut early = server.app.db.begin().await.unwrap();
    store(&mut early, member.id, 3).await;
    store(&mut early, stranger.id, 4).await;
    early.commit().await.unwrap();
    // Both doors wait: that to an open stream, and that to a client that comes back, which looks at the store itself.
    let mut back = member.stream_after(Some(&place)).await;
    assert_eq!(back.next().await.event, "reconnection");
    for stream in [&mut back, &mut stream] {
        assert_eq!(stream.next().await.event, "heartbeat");
    }
    // A writer who comes later is not waited for.
    let mut open = server.app.db.begin().await.unwrap();
    store(&mut open, stranger.id, 5).await;
    late.commit().await.unwrap();
    for stream in [&mut back, &mut stream] {
        for set in [2, 3] {
            assert_eq!(told(&next(stream).await), set);
        }
    }
    open.rollback().await;
}

#[tokio::test]
async fn an_id_that_a_script_made_up_silences_nobody() {
    // So far above all others that the sequence does not follow it.
    let server = quick(testkit::Database::postgres().await).await;
    let member = server.member("a@pullit.test").await;
    let source = server.ready_source(member.id, "text").await;
    let mut stream = shake_hands(&member).await;
    let made_up = "INSERT INTO notification (id, member_id, event_name, payload) VALUES (5000000000000000000, $1, 'made up', '{}')";
    server.change(made_up, vec![member.id.into()]).await;
    for _ in 0..2 {
        let set = one_more(&server, &member, source).await;
        assert_eq!(told(&next(&mut stream).await), set);
    }
    // Nor does its memory, when it was pruned.
    server
        .change(
            "DELETE FROM notification WHERE id = $1",
            vec![5_000_000_000_000_000_000_i64.into()],
        )
        .await;
    let pruned =
        "INSERT INTO notification_horizon (member_id, pruned_to) VALUES ($1, 5000000000000000000)";
    server.change(pruned, vec![member.id.into()]).await;
    let set = one_more(&server, &member, source).await;
    assert_eq!(told(&next(&mut stream).await), set);
}

#[tokio::test]
async fn a_notification_is_told_while_all_connections_for_requests_are_taken() {
    let database = testkit::Database::postgres().await;
    let script = database.connect().await;
    let setup = Setup::new().config(|config| {
        config.database.max_connections = 4;
        config.notification.poll = "50ms".parse().unwrap();
    });
    let server = setup.start(database).await;
    let member = server.member("a@pullit.test").await;
    let mut stream = shake_hands(&member).await;
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(server.app.db.begin().await.unwrap());
    }
    store(&script, member.id, 1).await;
    assert_eq!(told(&next(&mut stream).await), 1);
    // Nor do the heartbeats stop, which ask whether they are paused.
    stream.next_named("heartbeat").await;
    for transaction in taken {
        transaction.rollback().await;
    }
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_told_to_come_back() {
    let database = testkit::Database::postgres().await;
    // Not the node's own, whose idle transactions end soon.
    let script = database.connect().await;
    let server = quick(database).await;
    let member = server.member("a@pullit.test").await;
    let mut locking = script.begin().await.unwrap();
    locking
        .run("LOCK TABLE member IN ACCESS EXCLUSIVE MODE", vec![])
        .await
        .unwrap();
    let mut stream = member.stream().await;
    assert_eq!(stream.rest().await, []);
    assert!(
        stream.retry().unwrap() >= Duration::from_secs(2),
        "{:?}",
        stream.retry()
    );
    locking.rollback().await;
}
