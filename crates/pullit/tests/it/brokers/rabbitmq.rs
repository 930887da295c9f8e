//! What goes wrong between a node and RabbitMQ, and what becomes of the work.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use outbox::DeliveryError;
use pullit::platform::broker::{BrokerError, Delivery};
use testkit::wait;

use super::rig::{PREFETCH, Rabbitmq, Rig, Worker, event};
use crate::support::BOUND;

/// Everything that is in the queue, in order.
async fn all(worker: &Worker, rig: &Rig) -> Vec<Delivery> {
    let end = event();
    worker.publish(rig, std::slice::from_ref(&end)).await;
    let mut found = Vec::new();
    loop {
        let work = worker.next().await;
        worker.broker.done(&work).await.unwrap();
        if work.event_id == end.event_id {
            return found;
        }
        found.push(work);
    }
}

fn unavailable(delivered: &[Result<(), DeliveryError>]) -> bool {
    delivered
        .iter()
        .all(|told| matches!(told, Err(DeliveryError::Unavailable(_))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_whose_confirmation_is_lost_is_not_taken_for_done_and_its_repeat_is_told_by_its_id()
 {
    let rabbitmq = Rabbitmq::new();
    let node = rabbitmq.worker().await;
    node.broker.prepare().await.unwrap();
    // Its channel stands.
    let before = event();
    node.deliver(std::slice::from_ref(&before)).await[0]
        .as_ref()
        .unwrap();
    let network = node.network.as_ref().unwrap();
    let lost = event();
    network.lose_answers();
    let cutting = async {
        network.answer_held_back().await;
        network.cut();
        network.open();
    };
    let (delivered, ()) = tokio::join!(node.deliver(std::slice::from_ref(&lost)), cutting);
    assert!(unavailable(&delivered), "{delivered:?}");

    let again = node.deliver(std::slice::from_ref(&lost)).await;
    assert_eq!(again, [Ok(())]);
    let rig = Rig::Rabbitmq(rabbitmq);
    let found = all(&rig.worker().await, &rig).await;
    let ids: Vec<_> = found.iter().map(|work| work.event_id).collect();
    assert_eq!(ids, [before.event_id, lost.event_id, lost.event_id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_no_queue_takes_is_not_taken_for_delivered_though_the_broker_confirms_it() {
    let rabbitmq = Rabbitmq::new();
    let node = rabbitmq.worker().await;
    node.deliver(&[event()]).await[0].as_ref().unwrap();
    let (_connection, channel) = rabbitmq.channel().await;
    let queue = rabbitmq.queue();
    channel
        .queue_unbind(
            queue.as_str().into(),
            rabbitmq.prefix.as_str().into(),
            queue.as_str().into(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let events = [event(), event(), event()];
    for delivered in node.deliver(&events).await {
        let Err(DeliveryError::Failed(reason)) = delivered else {
            panic!("{delivered:?}");
        };
        assert!(reason.contains("NO_ROUTE"), "{reason}");
    }
    // The next attempt finds the binding missing and makes it.
    assert_eq!(node.deliver(&events).await, [Ok(()), Ok(()), Ok(())]);
    let rig = Rig::Rabbitmq(rabbitmq);
    assert_eq!(all(&rig.worker().await, &rig).await.len(), 1 + events.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_falls_silent_loses_nothing() {
    let rabbitmq = Rabbitmq::new();
    let node = rabbitmq.worker().await;
    node.deliver(&[event()]).await[0].as_ref().unwrap();
    let network = node.network.as_ref().unwrap();
    network.stall();
    let kept = [event(), event()];
    let delivered = node.deliver(&kept).await;
    assert!(unavailable(&delivered), "{delivered:?}");
    network.cut();
    network.open();
    assert_eq!(node.deliver(&kept).await, [Ok(()), Ok(())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_batch_is_confirmed_event_by_event() {
    let rig = Rig::rabbitmq();
    let node = rig.worker().await;
    let events: Vec<_> = (0..500).map(|_| event()).collect();
    node.publish(&rig, &events).await;
    let found = all(&node, &rig).await;
    let ids: Vec<_> = found.iter().map(|work| work.event_id).collect();
    let expected: Vec<_> = events.iter().map(|event| event.event_id).collect();
    assert_eq!(ids, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_costs_nothing_but_time() {
    let rig = Rig::rabbitmq();
    let node = rig.worker().await;
    let network = node.network.as_ref().unwrap();
    network.close();
    // The node starts all the same.
    node.broker.prepare().await.unwrap();
    let ready = node.broker.check().await;
    assert!(
        matches!(ready, Err(BrokerError::Unavailable(_))),
        "{ready:?}"
    );
    assert!(node.broker.take().await.unwrap().is_none());
    let events = [event()];
    let delivered = node.deliver(&events).await;
    assert!(unavailable(&delivered), "{delivered:?}");

    network.open();
    node.broker.check().await.unwrap();
    node.publish(&rig, &events).await;
    let work = node.next().await;
    assert_eq!(work.event_id, events[0].event_id);

    // And once more, while it works.
    network.close();
    node.loses(&work).await;
    let ready = node.broker.check().await;
    assert!(
        matches!(ready, Err(BrokerError::Unavailable(_))),
        "{ready:?}"
    );
    network.open();
    let again = node.next().await;
    assert_eq!((again.event_id, again.deliveries), (work.event_id, 2));
    node.broker.done(&again).await.unwrap();
    node.broker.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_holds_no_more_than_it_may_and_the_rest_is_for_others() {
    let rig = Rig::rabbitmq();
    let (worker, other) = (rig.worker().await, rig.worker().await);
    let events: Vec<_> = (0..=PREFETCH).map(|_| event()).collect();
    worker.publish(&rig, &events).await;
    let mut held = Vec::new();
    for _ in 0..PREFETCH {
        held.push(worker.next().await);
    }
    let rest = other.next().await;
    assert_eq!(
        Some(rest.event_id),
        events.last().map(|event| event.event_id)
    );
    assert!(worker.broker.take().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_closes_gives_back_what_it_never_took() {
    let rig = Rig::rabbitmq();
    let (worker, other) = (rig.worker().await, rig.worker().await);
    let events = [event(), event()];
    worker.publish(&rig, &events).await;
    let first = worker.next().await;
    worker.broker.done(&first).await.unwrap();
    worker.broker.close().await;
    assert!(
        worker.broker.take().await.unwrap().is_none(),
        "it is closed"
    );
    let given_back = other.next().await;
    assert_eq!(
        (given_back.event_id, given_back.deliveries),
        (events[1].event_id, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_none_of_ours_goes_to_the_dead_letters() {
    let rabbitmq = Rabbitmq::new();
    let node = rabbitmq.worker().await;
    node.broker.prepare().await.unwrap();
    let (_connection, channel) = rabbitmq.channel().await;
    for body in [&b"{}"[..], b"no JSON"] {
        let foreign = channel.basic_publish(
            rabbitmq.prefix.as_str().into(),
            rabbitmq.queue().into(),
            BasicPublishOptions::default(),
            body,
            BasicProperties::default(),
        );
        foreign.await.unwrap().await.unwrap();
    }
    let rig = Rig::Rabbitmq(rabbitmq);
    node.expect_nothing_but_what_is_new(&rig).await;
    wait::until("both lie with the dead letters", BOUND, async || {
        rig.dead().await.len() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_deleted_under_the_workers_is_made_anew() {
    let rabbitmq = Rabbitmq::new();
    let node = rabbitmq.worker().await;
    node.deliver(&[event()]).await[0].as_ref().unwrap();
    let held = node.next().await;
    let (_connection, channel) = rabbitmq.channel().await;
    channel
        .queue_delete(rabbitmq.queue().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    node.loses(&held).await;
    let next = event();
    wait::until("the queue is there again", BOUND, async || {
        node.deliver(std::slice::from_ref(&next)).await == [Ok(())]
    })
    .await;
    assert_eq!(node.next().await.event_id, next.event_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_deleted_is_missed_and_made_anew_by_a_node_that_sends_nothing() {
    let rabbitmq = Rabbitmq::new();
    let node = rabbitmq.worker().await;
    node.broker.check().await.unwrap();
    let (_connection, channel) = rabbitmq.channel().await;
    channel
        .queue_delete(rabbitmq.queue().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    assert!(node.broker.check().await.is_err());
    node.broker.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_is_put_off_while_the_broker_is_away_is_not_lost() {
    let rig = Rig::rabbitmq();
    let (node, other) = (rig.worker().await, rig.worker().await);
    let event = event();
    node.publish(&rig, std::slice::from_ref(&event)).await;
    let work = node.next().await;
    node.network.as_ref().unwrap().close();
    let told = node.broker.later(&work, Duration::from_secs(1)).await;
    assert!(told.is_err(), "{told:?}");
    assert_eq!(other.next().await.event_id, event.event_id);
}
