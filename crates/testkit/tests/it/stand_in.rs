//! A server that sends exactly the bytes a test wants.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Answers each connection's one request by `answer`, until dropped.
pub(crate) struct StandIn {
    base: String,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl StandIn {
    pub(crate) async fn start(
        answer: impl Fn(&str) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let request = read_request(&mut connection).await;
                let pieces = answer(&request);
                seen.lock().unwrap().push(request);
                for piece in pieces {
                    connection.write_all(piece.as_bytes()).await.unwrap();
                }
            }
        });
        Self {
            base,
            requests,
            serving,
        }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// Header and body of the last request, in lower case.
    pub(crate) fn last_request(&self) -> String {
        let requests = self.requests.lock().unwrap();
        requests.last().unwrap().to_lowercase()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn read_request(connection: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = connection.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((header, body)) = text.split_once("\r\n\r\n") {
            let expected = header
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= expected {
                return text;
            }
        }
        assert!(length > 0, "the client closed in its request: {text}");
    }
}

/// A whole answer whose connection closes after it.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<String> {
    vec![format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )]
}
