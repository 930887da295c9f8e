//! What every broker does.

use std::time::{Duration, Instant};

use outbox::TraceParent;
use pullit::platform::broker::{BrokerError, MAX_DELIVERIES};
use testkit::{Database, wait};

use super::rig::{LEASE, Rig, event};
use crate::support::BOUND;

/// Writes a test once and runs it for each broker.
macro_rules! on_each_broker {
    ($(async fn $name:ident($rig:ident: Rig) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                async fn test($rig: Rig) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn database_sqlite() {
                    test(Rig::database(Database::sqlite()).await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn database_postgres() {
                    test(Rig::database(Database::postgres().await).await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn rabbitmq() {
                    test(Rig::rabbitmq()).await;
                }
            }
        )*
    };
}

on_each_broker! {
    async fn work_is_handed_out_in_order_with_all_that_was_said_and_never_again_once_it_is_done(rig: Rig) {
        let worker = rig.worker().await;
        let trace = TraceParent::new();
        let mut events = [event(), event(), event()];
        events[1].traceparent = Some(trace);
        worker.publish(&rig, &events).await;
        for event in &events {
            let work = worker.next().await;
            assert_eq!(work.event_id, event.event_id);
            assert_eq!(work.payload, event.payload);
            assert_eq!(work.trace, event.traceparent);
            assert_eq!(work.deliveries, 1);
            worker.broker.done(&work).await.unwrap();
        }
        worker.expect_nothing_but_what_is_new(&rig).await;
    }

    async fn an_event_that_is_delivered_twice_keeps_its_id(rig: Rig) {
        let worker = rig.worker().await;
        let repeated = event();
        worker.publish(&rig, std::slice::from_ref(&repeated)).await;
        let first = worker.next().await;
        worker.broker.done(&first).await.unwrap();
        worker.publish(&rig, std::slice::from_ref(&repeated)).await;
        let second = worker.next().await;
        assert_eq!([first.event_id, second.event_id], [repeated.event_id; 2]);
        worker.broker.done(&second).await.unwrap();
        worker.expect_nothing_but_what_is_new(&rig).await;
    }

    async fn work_that_is_put_off_comes_back_after_a_while_and_this_time_does_not_count(rig: Rig) {
        let worker = rig.worker().await;
        let trace = Some(TraceParent::new());
        let event = outbox::Event { traceparent: trace, ..event() };
        worker.publish(&rig, std::slice::from_ref(&event)).await;
        let delay = Duration::from_secs(1);
        let work = worker.next().await;
        let started = Instant::now();
        worker.broker.later(&work, delay).await.unwrap();
        worker.expect_nothing_but_what_is_new(&rig).await;
        rig.pass(delay);
        let again = worker.next().await;
        assert!(matches!(rig, Rig::Database { .. }) || started.elapsed() >= delay);
        assert_eq!((again.event_id, again.deliveries), (event.event_id, 1));
        assert_eq!((&again.payload, again.trace), (&event.payload, trace));
        worker.broker.done(&again).await.unwrap();
    }

    async fn work_that_is_given_back_at_once_is_there_at_once_and_this_time_does_not_count(rig: Rig) {
        let (worker, other) = (rig.worker().await, rig.worker().await);
        let event = event();
        worker.publish(&rig, std::slice::from_ref(&event)).await;
        // This time does.
        drop(worker.next().await);
        rig.pass(LEASE);
        let work = worker.next().await;
        assert_eq!(work.deliveries, 2);
        worker.broker.later(&work, Duration::ZERO).await.unwrap();
        worker.broker.close().await;
        let again = other.next().await;
        assert_eq!((again.event_id, again.deliveries), (event.event_id, 2));
    }

    async fn the_work_of_a_worker_that_died_goes_to_another_and_counts(rig: Rig) {
        let (worker, other) = (rig.worker().await, rig.worker().await);
        let event = event();
        worker.publish(&rig, std::slice::from_ref(&event)).await;
        let work = worker.next().await;
        rig.dies(&worker);
        let again = other.next().await;
        assert_eq!((again.event_id, again.deliveries), (event.event_id, 2));
        other.broker.done(&again).await.unwrap();
        drop(work);
        other.expect_nothing_but_what_is_new(&rig).await;
    }

    async fn work_that_takes_longer_than_a_lease_is_kept_as_long_as_its_worker_says_so(rig: Rig) {
        let worker = rig.worker().await;
        worker.publish(&rig, &[event()]).await;
        let work = worker.next().await;
        for _ in 0..3 {
            rig.pass(LEASE * 3 / 4);
            worker.broker.extend(&work).await.unwrap();
        }
        worker.expect_nothing_but_what_is_new(&rig).await;
        worker.broker.done(&work).await.unwrap();
    }

    async fn a_worker_that_was_taken_for_dead_is_told_and_can_no_longer_say_what_became_of_the_work(rig: Rig) {
        let (worker, other) = (rig.worker().await, rig.worker().await);
        let event = event();
        worker.publish(&rig, std::slice::from_ref(&event)).await;
        let work = worker.next().await;
        rig.dies(&worker);
        let taken_over = other.next().await;
        worker.loses(&work).await;
        for told in [
            worker.broker.extend(&work).await,
            worker.broker.done(&work).await,
            worker.broker.later(&work, Duration::ZERO).await,
        ] {
            assert!(matches!(told, Err(BrokerError::Lost)), "{told:?}");
        }
        other.broker.extend(&taken_over).await.unwrap();
        other.broker.done(&taken_over).await.unwrap();
        other.expect_nothing_but_what_is_new(&rig).await;
    }

    async fn work_that_never_comes_to_an_end_is_put_aside_and_stops_nobody(rig: Rig) {
        let worker = rig.worker().await;
        let event = event();
        worker.publish(&rig, std::slice::from_ref(&event)).await;
        for delivery in 1..=MAX_DELIVERIES {
            let work = worker.next().await;
            assert_eq!((work.event_id, work.deliveries), (event.event_id, delivery));
            // As when its task panics.
            drop(work);
            rig.pass(LEASE);
        }
        worker.expect_nothing_but_what_is_new(&rig).await;
        wait::until("it lies with the dead letters", BOUND, async || rig.dead().await == [event.event_id]).await;
    }

    async fn an_idle_worker_wakes_when_work_arrives(rig: Rig) {
        let worker = rig.worker().await;
        assert!(worker.broker.take().await.unwrap().is_none());
        let event = event();
        let (woken, ()) = tokio::join!(
            tokio::time::timeout(BOUND, worker.broker.wait(BOUND * 10)),
            worker.publish(&rig, std::slice::from_ref(&event)),
        );
        woken.expect("it wakes long before its time is up");
        let work = worker.broker.take().await.unwrap();
        assert_eq!(work.map(|work| work.event_id), Some(event.event_id));
    }

    async fn a_broker_that_answers_is_ready_and_many_nodes_prepare_it_at_once(rig: Rig) {
        let mut nodes = Vec::new();
        for _ in 0..4 {
            nodes.push(rig.worker().await);
        }
        let preparing = nodes.iter().map(|node| node.broker.prepare());
        for prepared in futures::future::join_all(preparing).await {
            prepared.unwrap();
        }
        nodes[0].broker.check().await.unwrap();
    }
}
