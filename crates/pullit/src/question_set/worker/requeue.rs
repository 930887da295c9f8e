//! Giving work back.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::platform::broker::{Broker, BrokerError, Delivery};

/// The pause before a broker that did not take work back is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// Hands the work back, to come again after `delay`. While the broker takes nothing (RabbitMQ does so when it is short of memory or disk) the
/// work stays here: let go, it would come again at once and count as handed out, and after a few rounds its set would fail for good.
///
/// # Errors
/// When somebody else has it, the broker refuses for good, or this node stops meanwhile.
pub(super) async fn requeue(
    broker: &dyn Broker,
    delivery: &Delivery,
    delay: Duration,
    cancel: &CancellationToken,
) -> Result<(), BrokerError> {
    loop {
        match broker.later(delivery, delay).await {
            Err(error @ (BrokerError::Unavailable(_) | BrokerError::Database(_))) => {
                let pause = tokio::time::sleep(AGAIN);
                if cancel.run_until_cancelled(pause).await.is_none() {
                    return Err(error);
                }
                tracing::warn!(%error, event = %delivery.event_id, "work could not be given back; trying again");
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use outbox::Destination;

    use super::*;

    /// Answers what it was told to, last first, and then takes everything.
    struct Scripted(Mutex<Vec<BrokerError>>);

    #[async_trait]
    impl Broker for Scripted {
        async fn prepare(&self) -> Result<(), BrokerError> {
            Ok(())
        }

        fn destination(self: Arc<Self>) -> Destination {
            unreachable!("nothing is published here")
        }

        async fn take(&self) -> Result<Option<Delivery>, BrokerError> {
            Ok(None)
        }

        async fn wait(&self, _: Duration) {}

        async fn extend(&self, _: &Delivery) -> Result<(), BrokerError> {
            Ok(())
        }

        async fn done(&self, _: &Delivery) -> Result<(), BrokerError> {
            Ok(())
        }

        async fn later(&self, _: &Delivery, _: Duration) -> Result<(), BrokerError> {
            self.0.lock().unwrap().pop().map_or(Ok(()), Err)
        }

        async fn check(&self) -> Result<(), BrokerError> {
            Ok(())
        }

        async fn close(&self) {}
    }

    fn away() -> BrokerError {
        BrokerError::Unavailable("out of memory".to_owned())
    }

    async fn given_back(
        answers: Vec<BrokerError>,
        cancel: &CancellationToken,
    ) -> (Result<(), BrokerError>, usize) {
        let broker = Scripted(Mutex::new(answers));
        let delivery = Delivery::of_row(1);
        let told = requeue(&broker, &delivery, Duration::ZERO, cancel).await;
        let left = broker.0.lock().unwrap().len();
        (told, left)
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_kept_until_the_broker_takes_it_back() {
        let never = CancellationToken::new();
        let (told, left) = given_back(vec![away(), away(), away()], &never).await;
        assert!(told.is_ok(), "{told:?}");
        assert_eq!(left, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_somebody_else_has_is_let_go() {
        let never = CancellationToken::new();
        let (told, left) = given_back(vec![away(), BrokerError::Lost, away()], &never).await;
        assert!(matches!(told, Err(BrokerError::Lost)), "{told:?}");
        assert_eq!(left, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_stops_asks_once() {
        let stopping = CancellationToken::new();
        stopping.cancel();
        let (told, left) = given_back(vec![away(), away()], &stopping).await;
        assert!(matches!(told, Err(BrokerError::Unavailable(_))), "{told:?}");
        assert_eq!(left, 1);
    }
}
