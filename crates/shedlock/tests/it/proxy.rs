//! A wire to a server that can be cut, that can swallow answers and hold back requests.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Everything gets through.
    Passes,
    /// Requests get through, answers do not.
    Swallows,
    /// The next answer gets through, and requests after it do not.
    HoldsAfterAnswer,
    /// The connection that the next answer comes on is closed instead, and the wire passes again.
    Cuts,
    /// As `Cuts`, but further requests do not get through.
    CutsAndHolds,
    /// Requests wait.
    Holds,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    wire: Arc<watch::Sender<Wire>>,
    accepted: Arc<AtomicU32>,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// `server`: as in `127.0.0.1:6379`.
    pub(crate) fn start(listener: TcpListener, server: String) -> Self {
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(watch::Sender::new(Wire::Passes));
        let mut connections = JoinSet::new();
        let accepted = Arc::new(AtomicU32::new(0));
        let (accepts, shared) = (accepted.clone(), wire.clone());
        connections.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                accepts.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(&server).await.unwrap();
                connections.spawn(connect(client, server, shared.clone()));
            }
        });
        Self {
            address,
            wire,
            accepted,
            _connections: connections,
        }
    }

    pub(crate) fn now(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }

    /// How many connections were made so far.
    pub(crate) fn accepted(&self) -> u32 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn is(&self, wire: Wire) -> bool {
        *self.wire.borrow() == wire
    }

    /// Waits until the wire became so by itself.
    pub(crate) async fn becomes(&self, wire: Wire) {
        let mut seen = self.wire.subscribe();
        seen.wait_for(|is| *is == wire).await.unwrap();
    }
}

async fn connect(client: TcpStream, server: TcpStream, wire: Arc<watch::Sender<Wire>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut seen = wire.subscribe();
        let mut buffer = [0; 65536];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            seen.wait_for(|is| *is != Wire::Holds).await.unwrap();
            if to_server.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = [0; 65536];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            let mut was = Wire::Passes;
            wire.send_modify(|is| {
                was = *is;
                *is = match was {
                    Wire::Cuts => Wire::Passes,
                    Wire::CutsAndHolds | Wire::HoldsAfterAnswer => Wire::Holds,
                    same => same,
                };
            });
            match was {
                Wire::Cuts | Wire::CutsAndHolds => return,
                Wire::Swallows => {}
                Wire::Passes | Wire::Holds | Wire::HoldsAfterAnswer => {
                    if to_client.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}
