//! The parser reads what a server may send.

use proptest::{collection::vec, option, prelude::*, sample::Index};

use super::*;

/// What is sent: `None` as a name is an event without one.
#[derive(Debug, Clone)]
struct Sent {
    name: Option<String>,
    data: Vec<String>,
    comment: Option<String>,
    id: Option<u64>,
}

impl Sent {
    fn text(&self, end: &str) -> String {
        let mut text = String::new();
        if let Some(comment) = &self.comment {
            text += &format!(": {comment}{end}");
        }
        if let Some(name) = &self.name {
            text += &format!("event: {name}{end}");
        }
        if let Some(id) = self.id {
            text += &format!("id:{id}{end}");
        }
        for line in &self.data {
            text += &format!("data: {line}{end}");
        }
        text + end
    }

    /// The event as it must arrive, worked out from the whole data.
    fn event(&self) -> Option<Event> {
        let data = self.data.join("\n");
        let digits = self
            .data
            .first()?
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let number = (1..=19)
            .contains(&digits)
            .then(|| data[..digits].parse().unwrap());
        let rest = if number.is_some() { digits } else { 0 };
        Some(Event {
            heartbeat: self.name.as_deref() == Some("heartbeat"),
            number,
            length: data.len() as u32,
            sum: data.bytes().skip(rest).map(u32::from).sum(),
        })
    }
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,24}",
        "[0-9]{16} [a-z]{0,80}",
        "[가-힣🎉:a-z ]{0,40}",
        Just("ping".to_owned()),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let name = prop_oneof![
        Just("heartbeat".to_owned()),
        Just("heartbeats".to_owned()),
        "[가-힣a-z]{1,40}",
    ];
    (
        option::of(name),
        vec(line(), 0..4),
        option::of("[가-힣a-z: ]{0,60}"),
        option::of(any::<u64>()),
    )
        .prop_map(|(name, data, comment, id)| Sent {
            name,
            data,
            comment,
            id,
        })
}

/// Cuts bytes into pieces that are not empty.
fn cut<'a>(bytes: &'a [u8], at: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = at.iter().map(|at| at.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|ends| &bytes[ends[0]..ends[1]])
        .filter(|piece| !piece.is_empty())
        .collect()
}

fn chunked(body: &[u8], at: &[Index], ended: bool) -> Vec<u8> {
    let mut answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    for (number, chunk) in cut(body, at).into_iter().enumerate() {
        let extension = if number % 3 == 2 { ";a=b" } else { "" };
        answer.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
        answer.extend(chunk);
        answer.extend(b"\r\n");
    }
    if ended {
        answer.extend(b"0\r\n\r\n");
    }
    answer
}

fn plain(body: &[u8]) -> Vec<u8> {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Long-Header: of more bytes than a line keeps\r\n\r\n";
    [head, body].concat()
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<Event>, Parser), Broken> {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece, &mut |event| events.push(event))?;
    }
    Ok((events, parser))
}

proptest! {
    #[test]
    fn events_arrive_whole_however_chunks_and_pieces_cut_them(
        sent in vec(sent(), 0..8),
        end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        mark in any::<bool>(),
        chunks in vec(any::<Index>(), 0..12),
        pieces in vec(any::<Index>(), 0..24),
        ended in any::<bool>(),
    ) {
        let mut body = if mark { "\u{feff}".to_owned() } else { String::new() };
        body.extend(sent.iter().map(|event| event.text(end)));
        let expected: Vec<Event> = sent.iter().filter_map(Sent::event).collect();

        let answer = chunked(body.as_bytes(), &chunks, ended);
        let (events, parser) = read(cut(&answer, &pieces)).unwrap();
        prop_assert_eq!(&events, &expected);
        prop_assert_eq!(parser.has_ended(), ended);

        let answer = plain(body.as_bytes());
        let (events, parser) = read(cut(&answer, &pieces)).unwrap();
        prop_assert_eq!(&events, &expected);
        prop_assert!(parser.is_open() && !parser.has_ended());
    }

    #[test]
    fn nothing_that_arrives_makes_it_panic(bytes in vec(any::<u8>(), 0..400), head in any::<bool>()) {
        let answer = if head { chunked(&[], &[], false) } else { Vec::new() };
        let _ = read([&answer[..], &bytes]);
    }
}

#[test]
fn byte_by_byte_is_as_good_as_at_once() {
    let body =
        "event: 알림\ndata: 0000000000000042 준비되었어요 🎉\n\nevent: heartbeat\ndata: ping\n\n";
    let answer = chunked(body.as_bytes(), &[], true);
    let (whole, _) = read([&answer[..]]).unwrap();
    let (bytes, _) = read(answer.chunks(1)).unwrap();
    assert_eq!(whole, bytes);
    assert_eq!(whole[0].number, Some(42));
    assert!(!whole[0].heartbeat && whole[1].heartbeat);
}

#[test]
fn a_status_other_than_200_is_said() {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(read([&answer[..]]).unwrap_err(), Broken::Status(503));
}

#[test]
fn what_is_no_http_or_no_chunk_is_said() {
    let text = b"SSH-2.0-OpenSSH\r\n";
    assert_eq!(read([&text[..]]).unwrap_err(), Broken::NotHttp);
    for broken in ["x\r\n", "\r\n", "fffffffff\r\n", "1\r\nab\r\n"] {
        let answer = [&chunked(&[], &[], false), broken.as_bytes()].concat();
        assert_eq!(read([&answer[..]]).unwrap_err(), Broken::Chunks, "{broken}");
    }
}
