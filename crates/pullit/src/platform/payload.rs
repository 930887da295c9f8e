//! Payloads carry a version, so that a consumer never takes what it does not know for what it does.
//!
//! While nodes of two versions run side by side, an older one may meet a newer one's event. It refuses it: the event backs off, which leaves
//! it to the newer nodes, and is dead in the end rather than misread. An event without a version, as a script writes it, is of version 1.

use std::sync::Arc;

use async_trait::async_trait;
use ground::Connection;
use outbox::{ApplyError, DeliveryError, Destination, Event, Projection, Transport};

/// The same destination, for payloads of versions 1 to `newest` only.
pub fn up_to_version(newest: u64, destination: Destination) -> Destination {
    match destination {
        Destination::Projection(inner) => {
            Destination::Projection(Arc::new(Versioned { newest, inner }))
        }
        Destination::Transport(inner) => {
            Destination::Transport(Arc::new(Versioned { newest, inner }))
        }
    }
}

struct Versioned<T: ?Sized> {
    newest: u64,
    inner: Arc<T>,
}

impl<T: ?Sized> Versioned<T> {
    /// Why this event cannot be taken, if so.
    fn refusal(&self, event: &Event) -> Option<String> {
        let known = 1..=self.newest;
        match event.payload.get("version") {
            None => None,
            Some(version)
                if version
                    .as_u64()
                    .is_some_and(|version| known.contains(&version)) =>
            {
                None
            }
            Some(version) => Some(format!(
                "its payload has version {version}, and this program knows versions 1 to {}: replay it when all nodes are up to date",
                self.newest
            )),
        }
    }
}

#[async_trait]
impl Projection for Versioned<dyn Projection> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        for event in events {
            if let Some(reason) = self.refusal(event) {
                let id = event.id;
                return Err(ApplyError::Event { id, reason });
            }
        }
        self.inner.apply(tx, events).await
    }

    async fn committed(&self, events: &[Event]) {
        self.inner.committed(events).await;
    }
}

#[async_trait]
impl Transport for Versioned<dyn Transport> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        let refusals: Vec<_> = events.iter().map(|event| self.refusal(event)).collect();
        if refusals.iter().all(Option::is_none) {
            return self.inner.deliver(events).await;
        }
        let taken: Vec<Event> = events
            .iter()
            .zip(&refusals)
            .filter(|(_, refusal)| refusal.is_none())
            .map(|(event, _)| event.clone())
            .collect();
        let mut delivered = match taken.as_slice() {
            [] => Vec::new(),
            taken => self.inner.deliver(taken).await,
        }
        .into_iter();
        let silent = || Err(DeliveryError::Failed("gave no result".to_owned()));
        refusals
            .into_iter()
            .map(|refusal| match refusal {
                Some(reason) => Err(DeliveryError::Failed(reason)),
                None => delivered.next().unwrap_or_else(silent),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
