//! Reads the first bytes of a connection to learn whether its client speaks HTTP/1.1 or HTTP/2.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::pin;

use bytes::Bytes;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::connection::{Fault, stopped};

/// What an HTTP/2 connection begins with. No method of HTTP/1.1 begins like it.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The first bytes, and whether they are HTTP/2. `None` when the server stops and the client has sent nothing.
pub(super) async fn first_bytes(
    socket: &TcpStream,
    until: Instant,
    stop: watch::Receiver<bool>,
) -> Result<Option<(Bytes, bool)>, Fault> {
    let mut prefix = pin!(timeout_at(until, read_prefix(socket)));
    tokio::select! {
        prefix = &mut prefix => Ok(Some(prefix??)),
        // Browsers connect before they have anything to ask.
        () = stopped(stop) => match has_sent(socket) {
            true => Ok(Some(prefix.await??)),
            false => Ok(None),
        },
    }
}

/// Asks the kernel: tokio may not have heard of it yet.
fn has_sent(socket: &TcpStream) -> bool {
    let peeked = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
    matches!(peeked, Ok(1..))
}

/// As many bytes as it takes to tell the protocol, and whether that is HTTP/2.
async fn read_prefix(socket: &TcpStream) -> io::Result<(Bytes, bool)> {
    let mut prefix = [0; PREFACE.len()];
    let mut len = 0;
    loop {
        socket.readable().await?;
        match socket.try_read(&mut prefix[len..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => len += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if prefix[..len] != PREFACE[..len] {
            return Ok((Bytes::copy_from_slice(&prefix[..len]), false));
        }
        if len == PREFACE.len() {
            return Ok((Bytes::from_static(PREFACE), true));
        }
    }
}
