//! A wire to a server that can be cut, and that can swallow answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const PASS: u8 = 0;
const SWALLOW: u8 = 1;
const CUT: u8 = 2;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    answers: Arc<AtomicU8>,
    _wires: JoinSet<()>,
}

impl Proxy {
    /// `address`: where to listen; port 0 for any. `server`: as in `127.0.0.1:6379`.
    pub(crate) async fn start(address: &str, server: String) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(AtomicU8::new(PASS));
        let mut wires = JoinSet::new();
        let mode = answers.clone();
        wires.spawn(async move {
            let mut wires = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&server).await.unwrap();
                wires.spawn(wire(client, server, mode.clone()));
            }
        });
        Self {
            address,
            answers,
            _wires: wires,
        }
    }

    /// From now on requests get through and answers do not.
    pub(crate) fn swallow(&self) {
        self.answers.store(SWALLOW, Ordering::SeqCst);
    }

    /// The next answer does not get through: the connection that it comes on is closed instead. Others pass.
    pub(crate) fn cut_at_next_answer(&self) {
        self.answers.store(CUT, Ordering::SeqCst);
    }

    pub(crate) fn pass(&self) {
        self.answers.store(PASS, Ordering::SeqCst);
    }

    pub(crate) fn has_cut(&self) -> bool {
        self.answers.load(Ordering::SeqCst) == PASS
    }
}

async fn wire(client: TcpStream, server: TcpStream, mode: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    };
    let down = async {
        let mut buffer = [0; 65536];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            let cut = mode.compare_exchange(CUT, PASS, Ordering::SeqCst, Ordering::SeqCst);
            if cut.is_ok() {
                return;
            }
            if mode.load(Ordering::SeqCst) == PASS
                && to_client.write_all(&buffer[..length]).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}
