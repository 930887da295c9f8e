//! Opens many connections at a bounded rate.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

/// Readers of one source address: it has about 28,000 ports towards one server.
const PER_ADDRESS: usize = 2_000;

/// A stream that is to be opened.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) server: SocketAddr,
    pub(crate) path: String,
}

/// Connects and asks for the stream. Towards a loopback address, `number` chooses one of many loopback
/// addresses to come from. A receive buffer that is given is as small as the kernel allows at least.
pub(crate) fn connect(
    wish: &Wish,
    number: usize,
    receive_buffer: Option<usize>,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(wish.server), Type::STREAM, None)?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    if wish.server.is_ipv4() && wish.server.ip().is_loopback() {
        let last = 2 + (number / PER_ADDRESS % 250) as u8;
        let source = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0);
        socket.bind(&SocketAddr::from(source).into())?;
    }
    socket.connect_timeout(&wish.server.into(), Duration::from_secs(10))?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n",
        wish.path, wish.server
    );
    (&socket).write_all(request.as_bytes())?;
    Ok(socket.into())
}
