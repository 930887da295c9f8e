//! A TCP proxy that a test can cut, stall or close: what a network does to a client of a server.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// Stands between a client and a server, and lets everything pass at first. Ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// New connections are let through.
    open: bool,
    requests_pass: bool,
    answers_pass: bool,
    /// Connections of an earlier one are cut.
    generation: u64,
    /// Bytes of answers that were held back.
    held_back: u64,
}

impl Proxy {
    /// Listens on a free port of its own and connects to `server`, `host:port`, for each client.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn start(server: impl Into<String>) -> Self {
        let server = server.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port's number");
        let state = watch::Sender::new(State {
            open: true,
            requests_pass: true,
            answers_pass: true,
            generation: 0,
            held_back: 0,
        });
        let states = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !states.borrow().open {
                    continue;
                }
                let (server, states) = (server.clone(), states.clone());
                tokio::spawn(async move { join(client, &server, states).await });
            }
        });
        Self {
            address,
            state,
            accepting,
        }
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection that there is now. New ones are let through.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Ends every connection and lets no new one through: the server is gone.
    pub fn close(&self) {
        self.state.send_modify(|state| {
            state.open = false;
            state.generation += 1;
        });
    }

    /// The server is back: undoes [`close`](Self::close), [`stall`](Self::stall) and [`lose_answers`](Self::lose_answers).
    pub fn open(&self) {
        self.state.send_modify(|state| {
            state.open = true;
            state.requests_pass = true;
            state.answers_pass = true;
        });
    }

    /// From now on nothing passes, and nobody notices: a network that swallows everything.
    pub fn stall(&self) {
        self.state.send_modify(|state| {
            state.held_back = 0;
            state.requests_pass = false;
            state.answers_pass = false;
        });
    }

    /// From now on requests pass and answers do not.
    pub fn lose_answers(&self) {
        self.state.send_modify(|state| {
            state.held_back = 0;
            state.answers_pass = false;
        });
    }

    /// Waits until the server has answered something that was held back. Waits for ever when it never does.
    pub async fn answer_held_back(&self) {
        let mut state = self.state.subscribe();
        let held_back = state.wait_for(|state| state.held_back > 0).await;
        held_back.expect("the sender lives as long as this");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
        self.accepting.abort();
    }
}

async fn join(client: TcpStream, server: &str, states: watch::Sender<State>) {
    let generation = states.borrow().generation;
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = states.subscribe();
    tokio::select! {
        () = pass(from_client, to_server, &states, |state| state.requests_pass, false) => {}
        () = pass(from_server, to_client, &states, |state| state.answers_pass, true) => {}
        _ = cut.wait_for(|state| state.generation != generation) => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    states: &watch::Sender<State>,
    passes: impl Fn(&State) -> bool,
    answers: bool,
) {
    let mut seen = states.subscribe();
    let generation = seen.borrow_and_update().generation;
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !passes(&seen.borrow_and_update()) {
            if answers {
                states.send_modify(|state| state.held_back += length as u64);
            }
            // Cut and open again in one breath: what was held back is gone.
            match seen.wait_for(|state| passes(state)).await {
                Ok(state) if state.generation == generation => {}
                _ => return,
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
