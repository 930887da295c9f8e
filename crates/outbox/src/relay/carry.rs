//! Delivering a batch outside the database.

use std::collections::BTreeMap;

use metrics::{Histogram, counter, histogram};
use tracing::warn;

use super::{
    delivery::{Delivery, Verdict},
    pass::{Broken, Halt, Pass},
    settle,
    steps::{Step, reached},
    waves::rounds,
};
use crate::{DeliveryError, Event, Transport};

fn judge(error: DeliveryError) -> (Verdict, String) {
    match error {
        DeliveryError::Unavailable(reason) => (Verdict::Unavailable, reason),
        DeliveryError::Failed(reason) => (Verdict::Failed, reason),
        DeliveryError::Refused(reason) => (Verdict::Refused, reason),
    }
}

impl Pass<'_> {
    /// Delivers outside any transaction, one event of a key at a time so that a failure can stop its key, then deletes
    /// what was confirmed.
    pub(super) async fn carry(
        &mut self,
        delivery: &mut Delivery<'_>,
        transport: &dyn Transport,
        todo: Vec<Event>,
    ) -> Result<(), Halt> {
        let name = transport.name();
        let mut confirmed = Vec::new();
        let mut outcome = Ok(());
        for mut round in rounds(todo) {
            round.retain(|event| !self.held_back(event));
            if round.is_empty() {
                break;
            }
            if self.must_stop() {
                outcome = Err(Halt::Stop);
                break;
            }
            let results = match self.attempt(transport.deliver(&round)).await {
                Ok(Ok(results)) => results,
                Ok(Err(Broken::Panicked(reason))) => {
                    vec![Err(DeliveryError::Failed(reason)); round.len()]
                }
                Ok(Err(Broken::TimedOut(reason))) => {
                    vec![Err(DeliveryError::Unavailable(reason)); round.len()]
                }
                Err(halt) => {
                    outcome = Err(halt);
                    break;
                }
            };
            let mut results = results.into_iter();
            for event in round {
                let silent = || Err(DeliveryError::Failed("gave no result".to_owned()));
                match results.next().unwrap_or_else(silent) {
                    Ok(()) => confirmed.push(event),
                    Err(error) => {
                        let (verdict, reason) = judge(error);
                        self.fail(delivery, &event, name, verdict, &reason);
                    }
                }
            }
        }
        if !confirmed.is_empty() {
            reached(Step::Confirmed, confirmed.len());
        }
        self.settle_confirmed(delivery, Some(name), &confirmed)
            .await?;
        outcome
    }

    /// Deletes what every destination has confirmed and remembers the rest. Events that are gone meanwhile were settled
    /// by somebody else: the others were delivered all the same, and keeping them would deliver them twice.
    pub(super) async fn settle_confirmed(
        &mut self,
        delivery: &mut Delivery<'_>,
        destination: Option<&str>,
        confirmed: &[Event],
    ) -> Result<(), Halt> {
        if confirmed.is_empty() {
            return Ok(());
        }
        let (finished, unfinished) = delivery.after(destination, confirmed);
        let ids: Vec<i64> = finished.iter().map(|event| event.id).collect();
        let mut tx = self.relay.db.begin().await?;
        let settled = async {
            Ok(settle::delete(&mut tx, &ids).await?
                + settle::progress(&mut tx, &unfinished).await?)
        }
        .await;
        match settled {
            Ok(settled) => {
                let gone = (confirmed.len() as u64).saturating_sub(settled);
                if gone > 0 {
                    warn!(
                        gone,
                        destination, "delivered events were settled by somebody else meanwhile"
                    );
                }
            }
            Err(error) => {
                tx.rollback().await;
                return Err(error);
            }
        }
        self.commit(tx, confirmed.len()).await?;
        self.count_delivered(finished.iter().copied());
        delivery.reach(destination, confirmed);
        Ok(())
    }

    pub(super) fn count_delivered<'e>(&mut self, finished: impl IntoIterator<Item = &'e Event>) {
        let now = (self.relay.now)();
        let mut by_type: BTreeMap<&str, (u64, Histogram)> = BTreeMap::new();
        for event in finished {
            let event_type = event.event_type.as_str();
            // Looked up once for a batch, not for each event.
            let (count, latency) = by_type.entry(event_type).or_insert_with(|| {
                let labels = [("type", event_type.to_owned())];
                (0, histogram!("outbox_publish_to_effect_seconds", &labels))
            });
            *count += 1;
            let waited = (now - event.created_at).to_std().unwrap_or_default();
            latency.record(waited);
        }
        for (event_type, (count, _)) in by_type {
            counter!("outbox_delivered_total", "type" => event_type.to_owned()).increment(count);
            self.report.delivered += count;
        }
    }
}
