//! Frames of an event stream, encoded once for all streams.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// A piece of an event stream, encoded once in the `text/event-stream` format of the HTML
/// standard. Clones share the same bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Arc<Encoded>);

#[derive(PartialEq, Eq)]
struct Encoded {
    /// The text as one chunk of HTTP/1.1's chunked coding, for streams that write to their socket.
    chunk: Bytes,
    /// The part of `chunk` that is the text.
    text: Bytes,
}

impl Frame {
    /// An event. With an `id` the client remembers it and sends it back as `Last-Event-ID`.
    /// Any line break in `data` (CR LF, LF or CR) reaches the client as one LF; line breaks in
    /// `name` become spaces, because the format has no way to carry them.
    pub fn event(name: &str, id: Option<i64>, data: &str) -> Self {
        let mut text = String::with_capacity(name.len() + data.len() + 48);
        text.push_str("event: ");
        text.extend(
            name.chars()
                .map(|c| if matches!(c, '\r' | '\n') { ' ' } else { c }),
        );
        text.push('\n');
        if let Some(id) = id {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "id: {id}");
        }
        for line in lines(data) {
            text.push_str("data: ");
            text.push_str(line);
            text.push('\n');
        }
        Self::finish(text)
    }

    /// An id alone, which the client remembers as if an event had brought it. No event reaches the page.
    /// A line break in it ends it.
    pub fn id(id: &str) -> Self {
        let id = lines(id).next().unwrap_or_default();
        Self::finish(format!("id: {id}\n"))
    }

    /// Tells the client how long to wait before it reconnects. No event reaches the page.
    pub fn retry(wait: Duration) -> Self {
        Self::finish(format!("retry: {}\n", wait.as_millis()))
    }

    /// A comment, which clients ignore.
    pub fn comment(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + 4);
        for line in lines(text) {
            out.push_str(": ");
            out.push_str(line);
            out.push('\n');
        }
        Self::finish(out)
    }

    /// The encoded bytes, including the empty line that ends the frame.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0.text
    }

    pub(crate) fn chunk(&self) -> &Bytes {
        &self.0.chunk
    }

    fn finish(text: String) -> Self {
        let head = format!("{:x}\r\n", text.len() + 1);
        let chunk = Bytes::from([&head, &text, "\n\r\n"].concat());
        let text = chunk.slice(head.len()..chunk.len() - 2);
        Self(Arc::new(Encoded { chunk, text }))
    }
}

impl From<Frame> for Bytes {
    fn from(frame: Frame) -> Self {
        frame.0.text.clone()
    }
}

impl fmt::Debug for Frame {
    /// Only the size: the data may be a member's own text, which does not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.0.text.len())
    }
}

/// Splits as the format's parser does; `str::lines` would leave a lone CR inside a line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\r', '\n']) else {
            return rest.take();
        };
        let (line, tail) = text.split_at(end);
        rest = Some(tail.strip_prefix("\r\n").unwrap_or(&tail[1..]));
        Some(line)
    })
}
