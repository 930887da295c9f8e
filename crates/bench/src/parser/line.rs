//! A line of any length in a few bytes.

/// How much of a line is kept: enough for `transfer-encoding: chunked` and for
/// `data: ` with a number behind it.
const KEPT: usize = 32;

/// A line of any length in a few bytes: its beginning, its length and the sum of its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    head: [u8; KEPT],
    kept: u8,
    length: u32,
    sum: u32,
}

impl Line {
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let at = self.head().len();
        let kept = bytes.len().min(KEPT - at);
        self.head[at..at + kept].copy_from_slice(&bytes[..kept]);
        self.kept += kept as u8;
        self.length = self.length.wrapping_add(bytes.len() as u32);
        self.sum = self.sum.wrapping_add(sum(bytes));
    }

    /// The beginning of the line; all of it when it is short.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.kept)]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn length(&self) -> u32 {
        self.length
    }

    /// Of the bytes, modulo 2³².
    pub(crate) fn sum(&self) -> u32 {
        self.sum
    }

    /// Whether this is the line, to the byte.
    pub(crate) fn is(&self, whole: &[u8]) -> bool {
        self.length as usize == whole.len() && self.head() == whole
    }

    /// Takes `prefix` off the front, if it is there.
    pub(crate) fn strip(&mut self, prefix: &[u8]) -> bool {
        let found = self.head().starts_with(prefix);
        if found {
            self.skip(prefix.len());
        }
        found
    }

    /// Splits at the first colon as event streams do: the name, and the value stays. A line without
    /// one is all name. `None` when the colon is too far away for any field that there is.
    pub(crate) fn take_name(&mut self) -> Option<Name> {
        let head = self.head();
        let (name, taken) = match head.iter().position(|byte| *byte == b':') {
            Some(at) => (&head[..at], at + 1),
            None if self.length as usize == head.len() => (head, head.len()),
            None => return None,
        };
        let name = match name {
            b"data" => Name::Data,
            b"event" => Name::Event,
            _ => Name::Other,
        };
        self.skip(taken);
        self.strip(b" ");
        Some(name)
    }

    /// The decimal number that the line begins with and the sum of its digits as bytes; `None` when it
    /// has none, or more digits than a number has.
    pub(crate) fn number(&self) -> Option<(u64, u32)> {
        let head = self.head();
        let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=19).contains(&digits) {
            return None;
        }
        let digits = &head[..digits];
        let number = digits
            .iter()
            .fold(0, |number, byte| number * 10 + u64::from(byte - b'0'));
        Some((number, sum(digits)))
    }

    /// Of what is kept.
    fn skip(&mut self, count: usize) {
        self.sum = self.sum.wrapping_sub(sum(&self.head[..count]));
        self.head.copy_within(count..usize::from(self.kept), 0);
        self.kept -= count as u8;
        self.length -= count as u32;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Data,
    Event,
    Other,
}

pub(crate) fn sum(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum.wrapping_add(u32::from(*byte)))
}
