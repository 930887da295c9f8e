//! Hands the socket of a connection over from the HTTP server to an event stream.

use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;

use crate::{OnSocket, Parted, Subscription};

/// A stream on its socket, whatever the type of its key.
pub(super) trait Writing: Future<Output = Parted> + Send {
    fn hear(self: Pin<&mut Self>);
}

impl<K: Eq + Hash + Clone + Send + Unpin> Writing for OnSocket<K> {
    fn hear(self: Pin<&mut Self>) {
        OnSocket::hear(self.get_mut());
    }
}

pub(super) type Takeover = Box<dyn FnOnce(Arc<TcpStream>) -> Pin<Box<dyn Writing>> + Send>;

/// An extension of a request whose answer may take over the socket.
#[derive(Clone)]
pub(super) struct Handoff(Arc<Mutex<Stage>>);

/// How far the handoff is. It can stop at each stage, and then the HTTP server goes on.
enum Stage {
    Open,
    /// The request is answered with an event stream.
    Wanted,
    /// Its answer has reached the server as it was made. No layer in between encodes or frames it.
    Granted,
    /// The server has asked for the body. So it has the head of the response in its buffer.
    Asked(Takeover),
    /// All that the server had in its buffer is written.
    Flushed(Takeover),
    Over,
}

impl Handoff {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Stage::Open)))
    }

    pub(super) fn want(&self) {
        let mut stage = self.lock();
        if let Stage::Open = *stage {
            *stage = Stage::Wanted;
        }
    }

    /// Whether an event stream wants the socket.
    pub(super) fn grant(&self) -> bool {
        let mut stage = self.lock();
        if let Stage::Wanted = *stage {
            *stage = Stage::Granted;
            return true;
        }
        *stage = Stage::Over;
        false
    }

    /// Moves the stream to the socket. A stream that is returned stays with the HTTP server.
    pub(super) fn take<K>(&self, stream: Subscription<K>) -> Option<Subscription<K>>
    where
        K: Eq + Hash + Clone + Send + Unpin + 'static,
    {
        let mut stage = self.lock();
        if let Stage::Granted = *stage {
            *stage = Stage::Asked(Box::new(move |socket| Box::pin(stream.on_socket(socket))));
            return None;
        }
        *stage = Stage::Over;
        Some(stream)
    }

    /// The server's buffer is empty.
    pub(super) fn flushed(&self) {
        let mut stage = self.lock();
        *stage = match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Asked(takeover) => Stage::Flushed(takeover),
            other => other,
        };
    }

    pub(super) fn takeover(&self) -> Option<Takeover> {
        let mut stage = self.lock();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Flushed(takeover) => Some(takeover),
            other => {
                *stage = other;
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
