//! Reads an event stream, in whatever pieces it arrives.

mod line;

use thiserror::Error;

pub(crate) use line::sum;
use line::{Line, Name};

/// What a reader got: enough to count it, to know when it was sent and to see that it arrived whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// It is named `heartbeat`.
    pub(crate) heartbeat: bool,
    /// The decimal number that its data begins with.
    pub(crate) number: Option<u64>,
    /// Bytes of its data.
    pub(crate) length: u32,
    /// Sum of the bytes of its data, without the number's digits, modulo 2³².
    pub(crate) sum: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Broken {
    #[error("the answer is no event stream: its status is {0}")]
    Status(u16),
    #[error("the answer is not HTTP/1.1")]
    NotHttp,
    #[error("the chunked transfer encoding is broken")]
    Chunks,
}

/// Reads the answer to one request, in whatever pieces it arrives, in about a hundred bytes of memory:
/// the head, the chunked transfer encoding, the events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    stage: Stage,
    status: u16,
    chunked: bool,
    /// Bytes of the chunk that are still to come; digits of its size that were read.
    left: u32,
    digits: u8,
    line: Line,
    /// The last piece ended in a carriage return, whose line feed may still come.
    after_carriage_return: bool,
    past_first_line: bool,
    has_data: bool,
    event: Event,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    Size,
    Extension,
    Chunk,
    AfterChunk,
    /// Events until the connection ends.
    Plain,
    Ended,
}

impl Parser {
    /// Whether the head has come, with status 200.
    pub(crate) fn is_open(&self) -> bool {
        self.stage != Stage::Head
    }

    /// Whether the last chunk has come.
    pub(crate) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Hands each event that is complete to `sink`.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        sink: &mut impl FnMut(Event),
    ) -> Result<(), Broken> {
        while let Some(&byte) = bytes.first() {
            let taken = match self.stage {
                Stage::Head => self.head(bytes)?,
                Stage::Size => self.size(byte)?,
                Stage::Extension => {
                    if byte == b'\n' {
                        self.begin_chunk()?;
                    }
                    1
                }
                Stage::Chunk => {
                    let taken = bytes.len().min(self.left as usize);
                    self.body(&bytes[..taken], sink);
                    self.left -= taken as u32;
                    if self.left == 0 {
                        self.stage = Stage::AfterChunk;
                    }
                    taken
                }
                Stage::AfterChunk => {
                    match byte {
                        b'\r' => {}
                        b'\n' => self.stage = Stage::Size,
                        _ => return Err(Broken::Chunks),
                    }
                    1
                }
                Stage::Plain => {
                    self.body(bytes, sink);
                    bytes.len()
                }
                Stage::Ended => return Ok(()),
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    fn head(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.line.extend(bytes);
            return Ok(bytes.len());
        };
        self.line.extend(&bytes[..end]);
        let line = std::mem::take(&mut self.line);
        let text = line.head().to_ascii_lowercase();
        let text = text.strip_suffix(b"\r").unwrap_or(&text);
        if self.status == 0 {
            self.status = status(text).ok_or(Broken::NotHttp)?;
        } else if text.is_empty() {
            if self.status != 200 {
                return Err(Broken::Status(self.status));
            }
            self.stage = if self.chunked {
                Stage::Size
            } else {
                Stage::Plain
            };
        } else if let Some(value) = text.strip_prefix(b"transfer-encoding:") {
            self.chunked = value.trim_ascii() == b"chunked";
        }
        Ok(end + 1)
    }

    fn size(&mut self, byte: u8) -> Result<usize, Broken> {
        match char::from(byte).to_digit(16) {
            Some(digit) if self.digits < 7 => {
                self.left = self.left * 16 + digit;
                self.digits += 1;
            }
            None if self.digits == 0 => return Err(Broken::Chunks),
            None if byte == b'\n' => self.begin_chunk()?,
            None if matches!(byte, b'\r' | b';' | b' ') => self.stage = Stage::Extension,
            _ => return Err(Broken::Chunks),
        }
        Ok(1)
    }

    fn begin_chunk(&mut self) -> Result<(), Broken> {
        if self.digits == 0 {
            return Err(Broken::Chunks);
        }
        self.digits = 0;
        self.stage = if self.left == 0 {
            Stage::Ended
        } else {
            Stage::Chunk
        };
        Ok(())
    }

    fn body(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Event)) {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_carriage_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return self.line.extend(bytes);
            };
            self.line.extend(&bytes[..end]);
            self.after_carriage_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if let Some(event) = self.end_line() {
                sink(event);
            }
        }
    }

    fn end_line(&mut self) -> Option<Event> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.past_first_line, true) {
            line.strip("\u{feff}".as_bytes());
        }
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        match line.take_name() {
            Some(Name::Event) => self.event.heartbeat = line.is(b"heartbeat"),
            Some(Name::Data) => self.data(&line),
            Some(Name::Other) | None => {}
        }
        None
    }

    fn data(&mut self, line: &Line) {
        let event = &mut self.event;
        if std::mem::replace(&mut self.has_data, true) {
            event.length = event.length.wrapping_add(1);
            event.sum = event.sum.wrapping_add(u32::from(b'\n'));
        } else if let Some((number, digits)) = line.number() {
            event.number = Some(number);
            event.sum = event.sum.wrapping_sub(digits);
        }
        event.length = event.length.wrapping_add(line.length());
        event.sum = event.sum.wrapping_add(line.sum());
    }
}

/// Of a line such as `HTTP/1.1 200 OK` in lower case.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"http/1.1 ")?;
    let digits = rest.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
