//! Readers count what they get, and notice what they lose.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

use super::*;
use crate::payload::Payload;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// Answers every connection with a text, and then does something with the socket.
fn server(text: String, then: fn(&mut TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept() {
            let mut request = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                let read = socket.read(&mut request).unwrap();
                request.rotate_left(read);
            }
            socket.write_all(text.as_bytes()).unwrap();
            then(&mut socket);
            kept.push(socket);
        }
    });
    address
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// Opens `count` readers of the server, who wait for the publish with number 7.
async fn read(server: SocketAddr, count: usize) -> (Readers, Result<Round, LoadError>) {
    let payload = Payload::new(40);
    let readers = Readers::start(Clock::start(), payload.shape()).unwrap();
    readers.begin_round(7);
    let wish = || Wish {
        server,
        path: "/subscribe".to_owned(),
    };
    let all = async {
        readers.open((0..count).map(|_| wish()).collect()).await?;
        readers.finish_round().await
    };
    let round = timeout(Duration::from_secs(20), all).await;
    (readers, round.expect("it ends by itself"))
}

#[tokio::test]
async fn what_arrives_twice_or_other_than_sent_is_counted() {
    let payload = Payload::new(40);
    let text = [
        HEAD.to_owned(),
        event(&payload.text(5)),
        event(&payload.text(5)),
        event(&payload.text(6).replace('c', "d")),
        "event: heartbeat\ndata: ping\n\n".repeat(3),
        event(&payload.text(7)),
    ];
    let (readers, round) = read(server(text.concat(), |_| {}), 3).await;
    assert_eq!(round.unwrap().received, 3);
    readers.look(|tally| {
        assert_eq!((tally.damaged, tally.repeated), (3, 3));
        assert_eq!((tally.events, tally.gaps.count()), (3 * 7, 3 * 2));
        assert_eq!(tally.latencies.count(), 3 * 3);
    });
}

#[tokio::test]
async fn a_stream_that_ends_is_noticed_although_its_end_came_with_data() {
    let text = [HEAD, &event("1")].concat();
    let server = server(text, |socket| socket.shutdown(Shutdown::Both).unwrap());
    let (_readers, round) = read(server, 20).await;
    let reason = round.unwrap_err().to_string();
    assert!(reason.contains("the server closed it"), "{reason}");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_status() {
    let refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let (_readers, round) = read(server(refusal.to_owned(), |_| {}), 1).await;
    let reason = round.unwrap_err().to_string();
    assert!(reason.contains("503"), "{reason}");
}
