//! A client at the other end of a real socket. It is strict: what is not right in the protocol fails the test.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use axum::http::{HeaderMap, Request, Version};
use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Site, Transport};
use crate::client::{Event, Parser};

const LONG: Duration = Duration::from_secs(20);

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As the protocol wants it.
    Clean,
    /// The connection broke.
    Broken,
}

enum Wire {
    Http1 { socket: TcpStream, buffer: Vec<u8> },
    Http2(Incoming),
}

pub(crate) struct Tab {
    wire: Wire,
    pub(crate) headers: HeaderMap,
    pub(crate) parser: Parser,
    pub(crate) last_id: Option<i64>,
}

impl Tab {
    pub(crate) async fn open(site: &Site, key: i64) -> Self {
        Self::resume(site, key, None).await
    }

    pub(crate) async fn resume(site: &Site, key: i64, last_id: Option<i64>) -> Self {
        Self::with_window(site, key, last_id, None).await
    }

    /// With buffers so small that it is soon noticed when it does not read.
    pub(crate) async fn narrow(site: &Site, key: i64) -> Self {
        Self::with_window(site, key, None, Some(4096)).await
    }

    /// The same, back with its last event id.
    pub(crate) async fn narrow_after(site: &Site, key: i64, last_id: i64) -> Self {
        Self::with_window(site, key, Some(last_id), Some(4096)).await
    }

    async fn with_window(site: &Site, key: i64, last_id: Option<i64>, window: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(window) = window {
            socket.set_recv_buffer_size(window).unwrap();
        }
        let socket = socket.connect(site.address).await.unwrap();
        let (wire, headers) = match site.transport {
            Transport::Http2 => http2(socket, key, last_id, window).await,
            Transport::Socket => http1(socket, key, last_id, "").await,
            Transport::Http1 => http1(socket, key, last_id, "connection: close\r\n").await,
        };
        Self {
            wire,
            headers,
            parser: Parser::default(),
            last_id,
        }
    }

    /// A client of HTTP/1.1 that sends just this.
    pub(crate) async fn raw(site: &Site, request: &str) -> Self {
        let mut socket = TcpStream::connect(site.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let (wire, headers) = head(socket).await;
        Self {
            wire,
            headers,
            parser: Parser::default(),
            last_id: None,
        }
    }

    /// Takes some bytes off the socket without looking at them.
    pub(crate) async fn read_a_little(&mut self) {
        assert!(self.try_read_a_little().await);
    }

    /// The same; false when the connection is broken.
    pub(crate) async fn try_read_a_little(&mut self) -> bool {
        let Wire::Http1 { socket, buffer } = &mut self.wire else {
            panic!("only for HTTP/1.1");
        };
        read(socket, buffer).await.is_ok()
    }

    /// Waits until the server has reset the connection.
    pub(crate) async fn is_reset(&mut self) {
        let reset = timeout(LONG, self.socket().ready(Interest::ERROR)).await;
        reset.expect("it was not reset").unwrap();
    }

    /// The next event, or how the stream ended.
    pub(crate) async fn next(&mut self) -> Result<Event, End> {
        while self.parser.events.is_empty() {
            let piece = timeout(LONG, self.wire.piece())
                .await
                .expect("nothing came");
            self.parser.feed(&piece?);
        }
        let event = self.parser.events.remove(0);
        if let Some(id) = &event.id {
            self.last_id = Some(id.parse().unwrap());
        }
        Ok(event)
    }

    pub(crate) async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await.unwrap();
        assert_eq!(event.name, name);
        event
    }

    pub(crate) async fn expect_ids(&mut self, ids: impl IntoIterator<Item = i64>) {
        for id in ids {
            let event = self.next().await.unwrap();
            assert_eq!(event.id, Some(id.to_string()));
        }
    }

    /// The names of the events up to the end, and the end.
    pub(crate) async fn rest(&mut self) -> (Vec<String>, End) {
        let mut names = Vec::new();
        loop {
            match self.next().await {
                Ok(event) => names.push(event.name),
                Err(end) => return (names, end),
            }
        }
    }

    /// The socket of HTTP/1.1.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        match &mut self.wire {
            Wire::Http1 { socket, .. } => socket,
            Wire::Http2(_) => panic!("the connection is not ours alone"),
        }
    }
}

impl Wire {
    /// Some bytes of the body, in pieces that know nothing of events or characters.
    async fn piece(&mut self) -> Result<Bytes, End> {
        match self {
            Self::Http1 { socket, buffer } => {
                let size = line(socket, buffer).await?;
                let size = usize::from_str_radix(&size, 16).unwrap();
                while buffer.len() < size + 2 {
                    read(socket, buffer).await?;
                }
                let data: Bytes = buffer.drain(..size).collect();
                assert_eq!(buffer.drain(..2).as_slice(), b"\r\n");
                if size > 0 {
                    return Ok(data);
                }
                assert!(buffer.is_empty(), "{buffer:?} after the last chunk");
                match socket.read(&mut [0; 1]).await {
                    Ok(0) => Err(End::Clean),
                    other => panic!("{other:?} after the last chunk"),
                }
            }
            Self::Http2(body) => loop {
                match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Ok(data);
                        }
                    }
                    Some(Err(_)) => return Err(End::Broken),
                    None => return Err(End::Clean),
                }
            },
        }
    }
}

async fn http2(
    socket: TcpStream,
    key: i64,
    last_id: Option<i64>,
    window: Option<u32>,
) -> (Wire, HeaderMap) {
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .handshake(TokioIo::new(socket))
        .await
        .unwrap();
    // Ends when the sender and every body are gone.
    tokio::spawn(connection);
    let mut request = Request::get(format!("http://site/events/{key}")).version(Version::HTTP_2);
    if let Some(id) = last_id {
        request = request.header("last-event-id", id);
    }
    let request = request.body(String::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let (head, body) = response.into_parts();
    (Wire::Http2(body), head.headers)
}

async fn http1(
    mut socket: TcpStream,
    key: i64,
    last_id: Option<i64>,
    more: &str,
) -> (Wire, HeaderMap) {
    let last = last_id.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
    let request = format!("GET /events/{key} HTTP/1.1\r\nhost: site\r\n{last}{more}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    head(socket).await
}

async fn head(mut socket: TcpStream) -> (Wire, HeaderMap) {
    let mut buffer = Vec::new();
    let status = line(&mut socket, &mut buffer).await.unwrap();
    assert_eq!(status, "HTTP/1.1 200 OK");
    let mut headers = HeaderMap::new();
    loop {
        let line = line(&mut socket, &mut buffer).await.unwrap();
        let Some((name, value)) = line.split_once(": ") else {
            assert_eq!(line, "");
            break;
        };
        let name: axum::http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    if let Some(length) = headers.get("content-length") {
        // As one chunk and the last one, so that what follows need not know.
        let length: usize = length.to_str().unwrap().parse().unwrap();
        while buffer.len() < length {
            read(&mut socket, &mut buffer).await.unwrap();
        }
        assert_eq!(buffer.len(), length);
        let head = format!("{length:x}\r\n");
        buffer.splice(..0, head.into_bytes());
        buffer.extend_from_slice(b"\r\n0\r\n\r\n");
        socket.shutdown().await.unwrap();
    } else {
        assert_eq!(headers["transfer-encoding"], "chunked");
    }
    (Wire::Http1 { socket, buffer }, headers)
}

async fn line(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<String, End> {
    loop {
        if let Some(end) = buffer.windows(2).position(|two| two == b"\r\n") {
            let line = buffer.drain(..end).collect();
            buffer.drain(..2);
            return Ok(String::from_utf8(line).unwrap());
        }
        read(socket, buffer).await?;
    }
}

async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(), End> {
    let mut piece = [0; 1000];
    match socket.read(&mut piece).await {
        Ok(0) => Err(End::Broken),
        Ok(read) => {
            buffer.extend_from_slice(&piece[..read]);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(End::Broken),
        Err(error) => panic!("{error}"),
    }
}
