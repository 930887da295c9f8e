//! One connection that publishes.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::error::LoadError;

/// No answer is waited for longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One connection that is kept for one request after the other.
#[derive(Debug)]
pub(crate) struct Publisher {
    server: SocketAddr,
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Publisher {
    pub(crate) async fn connect(server: SocketAddr) -> Result<Self, LoadError> {
        let socket = TcpStream::connect(server).await.map_err(LoadError::Talk)?;
        socket.set_nodelay(true).map_err(LoadError::Talk)?;
        Ok(Self {
            server,
            socket,
            buffer: Vec::new(),
        })
    }

    /// Sends `text` and gives back the body of the answer.
    pub(crate) async fn post(&mut self, path: &str, text: &str) -> Result<String, LoadError> {
        let length = text.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {length}\r\n\r\n{text}",
            self.server
        );
        self.ask(&request).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<String, LoadError> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.server);
        self.ask(&request).await
    }

    async fn ask(&mut self, request: &str) -> Result<String, LoadError> {
        let answer = timeout(TIMEOUT, self.exchange(request.as_bytes()))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(LoadError::Talk)?;
        answer.map_err(|reason| LoadError::Answer {
            request: request.lines().next().unwrap_or_default().to_owned(),
            reason,
        })
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Result<String, String>> {
        self.socket.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = answer(&self.buffer) {
                return Ok(answer);
            }
        }
    }
}

/// `None` while it is incomplete. The body when the status is a good one.
fn answer(bytes: &[u8]) -> Option<Result<String, String>> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    if !status.starts_with("HTTP/1.1 2") {
        return Some(Err(format!("its status line is `{status}`")));
    }
    let Some(length) = length else {
        return Some(Err("it does not say how long it is".to_owned()));
    };
    (body.len() >= length).then(|| Ok(body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_body_is() {
        let whole = "HTTP/1.1 202 Accepted\r\ncontent-LENGTH: 4\r\n\r\nbody";
        for end in 0..whole.len() {
            assert_eq!(answer(&whole.as_bytes()[..end]), None, "{end} bytes");
        }
        assert_eq!(answer(whole.as_bytes()), Some(Ok("body".to_owned())));
    }

    #[test]
    fn a_bad_status_is_an_error() {
        let refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert!(answer(refusal).unwrap().is_err());
    }
}
