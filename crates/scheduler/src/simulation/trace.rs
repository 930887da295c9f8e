//! What happened, as a number that two runs of a seed must share, and as lines for whoever looks into one.

use std::fmt::Write;

use super::time::Micros;

#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: u64,
    steps: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(with_lines: bool) -> Self {
        Self {
            hash: 0,
            steps: 0,
            lines: with_lines.then(Vec::new),
        }
    }

    /// Notes a step: `number` stands for its details in the hash, `text` in the lines.
    pub(super) fn step(
        &mut self,
        at: Micros,
        who: &str,
        what: &str,
        number: u64,
        text: impl FnOnce() -> String,
    ) {
        self.steps += 1;
        let words = who.bytes().chain(what.bytes()).map(u64::from);
        for word in words.chain([at, number]) {
            self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(format!(
                "{:>12.6} {who:<8} {what} {}",
                at as f64 / 1e6,
                text()
            ));
        }
    }

    /// A number for the whole of it.
    pub(super) fn hash(&self) -> (u64, u64) {
        (self.hash, self.steps)
    }

    /// The last lines.
    pub(super) fn tail(&self, count: usize) -> String {
        let mut tail = String::new();
        let lines = self.lines.as_deref().unwrap_or_default();
        for line in lines.iter().skip(lines.len().saturating_sub(count)) {
            let _ = writeln!(tail, "{line}");
        }
        tail
    }
}
