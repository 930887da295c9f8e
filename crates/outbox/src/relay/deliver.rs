//! Delivers events to a transport, and finishes what it confirms.

use super::{
    batch::{Batch, Verdict},
    finish,
    key_order::one_of_each_key,
    run::{Broken, Halt, Run},
    steps::{Step, reached},
};
use crate::{DeliveryError, Event, Transport};

/// Delivers outside any transaction, then finishes what was confirmed. Each call carries one event of a key, so that a
/// failure can stop its key.
pub(super) async fn deliver(
    run: &mut Run<'_>,
    batch: &mut Batch<'_>,
    transport: &dyn Transport,
    events: Vec<Event>,
) -> Result<(), Halt> {
    let name = transport.name();
    let mut confirmed = Vec::new();
    let mut outcome = Ok(());
    for mut events in one_of_each_key(events) {
        events.retain(|event| !batch.holds_back(event));
        if events.is_empty() {
            break;
        }
        let results = match send(run, transport, &events).await {
            Ok(results) => results,
            Err(halt) => {
                outcome = Err(halt);
                break;
            }
        };
        let mut results = results.into_iter();
        for event in events {
            let silent = || Err(DeliveryError::Failed("gave no result".to_owned()));
            match results.next().unwrap_or_else(silent) {
                Ok(()) => confirmed.push(event),
                Err(error) => {
                    let (verdict, reason) = Verdict::of(error);
                    batch.fail(&event, name, verdict, &reason);
                }
            }
        }
    }
    if !confirmed.is_empty() {
        reached(Step::Confirmed, confirmed.len());
    }
    finish::confirmed(run, batch, Some(name), &confirmed).await?;
    outcome
}

/// One call of the transport, and a result for each event even if it panics or does not answer.
async fn send(
    run: &Run<'_>,
    transport: &dyn Transport,
    events: &[Event],
) -> Result<Vec<Result<(), DeliveryError>>, Halt> {
    if run.must_stop() {
        return Err(Halt::Stop);
    }
    let error = match run.attempt(transport.deliver(events)).await? {
        Ok(results) => return Ok(results),
        Err(Broken::Panicked(reason)) => DeliveryError::Failed(reason),
        Err(Broken::TimedOut(reason)) => DeliveryError::Unavailable(reason),
    };
    Ok(vec![Err(error); events.len()])
}
