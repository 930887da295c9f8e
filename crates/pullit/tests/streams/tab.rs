//! A browser's tab that is never closed.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::sse::{NoStream, SseReader};
use tokio::sync::mpsc::UnboundedSender;

use crate::book::Book;
use crate::cluster::Addresses;

/// A stream on which not even a heartbeat comes is dead.
const SILENCE: Duration = Duration::from_secs(10);

/// A browser's tab that is never closed.
pub(crate) struct Tab {
    pub(crate) number: usize,
    pub(crate) token: String,
    pub(crate) client: reqwest::Client,
    pub(crate) nodes: Arc<Addresses>,
    pub(crate) book: Arc<Book>,
    /// Told when the first stream is open.
    pub(crate) open: UnboundedSender<()>,
}

impl Tab {
    /// Listens, and comes back with its last event id to any node that lives, whenever it is cut off.
    pub(crate) async fn listen(self, seed: u64) {
        let mut dice = StdRng::seed_from_u64(seed ^ self.number as u64);
        let mut last: Option<String> = None;
        loop {
            if let Some(node) = self.nodes.any(&mut dice) {
                let url = format!("{node}/api/notifications/subscribe");
                let token = Some(self.token.as_str());
                let stream = SseReader::try_connect(&self.client, &url, token, last.as_deref());
                match stream.await {
                    Ok(stream) => {
                        self.read(stream, &mut last).await;
                        self.book.reconnected();
                    }
                    Err(NoStream::Unreachable(_)) => {}
                    Err(NoStream::Refused(refused)) => self.book.wrong(refused),
                }
            }
            // Not the seconds that the server asks for: the more often it is cut off, the better.
            let pause = Duration::from_millis(dice.random_range(20..250));
            tokio::time::sleep(pause).await;
        }
    }

    async fn read(&self, mut stream: SseReader, last: &mut Option<String>) {
        while let Some(event) = stream.next_within(SILENCE).await {
            match event.event.as_str() {
                "handShakeComplete" if last.is_none() => {
                    // The test may be over.
                    let _ = self.open.send(());
                }
                "reconnection" if last.is_some() => self.book.greeted(self.number),
                "heartbeat" => self.book.beat(self.number),
                "questionSetCreationComplete" => {
                    let id = event.id.as_deref().and_then(|id| id.parse().ok());
                    self.book.told(self.number, id.unwrap());
                }
                _ => self
                    .book
                    .wrong(format!("{event:?} at tab {} after {last:?}", self.number)),
            }
            *last = stream.last_event_id().map(str::to_owned).or(last.take());
        }
    }
}
