//! The queues that a node finds, and the address it finds them at.

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use pullit::platform::broker::{Broker, BrokerError};
use testkit::amqp;

use super::rig::Rabbitmq;

fn refusal(prepared: Result<(), BrokerError>) -> String {
    match prepared {
        Err(BrokerError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_was_made_otherwise_is_refused_with_what_to_do() {
    let rabbitmq = Rabbitmq::new();
    let (_connection, channel) = rabbitmq.channel().await;
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    channel
        .queue_declare(rabbitmq.queue().into(), durable, FieldTable::default())
        .await
        .unwrap();
    let reason = refusal(rabbitmq.broker(&amqp::url()).prepare().await);
    assert!(reason.contains(&rabbitmq.queue()), "{reason}");
    assert!(reason.contains("broker.prefix"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_virtual_host_that_is_not_there_are_refused_by_name() {
    let rabbitmq = Rabbitmq::new();
    let address = amqp::address();
    let wrong = format!("amqp://guest:hunter2@{address}/%2f");
    let reason = refusal(rabbitmq.broker(&wrong).prepare().await);
    assert!(reason.contains("broker.url"), "{reason}");
    assert!(!reason.contains("hunter2"), "{reason}");
    let nowhere = format!("amqp://guest:guest@{address}/nowhere");
    let reason = refusal(rabbitmq.broker(&nowhere).prepare().await);
    assert!(reason.contains("nowhere"), "{reason}");
    assert!(reason.contains("%2f"), "{reason}");
}
