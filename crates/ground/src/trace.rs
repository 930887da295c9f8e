//! The trace that an event belongs to, as in W3C Trace Context (<https://www.w3.org/TR/trace-context/>).
//!
//! With it the effects of an event can be found by its cause. `tracestate` is not carried.

use std::{fmt, future::Future, str::FromStr};

const VERSION_00_LENGTH: usize = 55;

tokio::task_local! {
    static CURRENT: Option<TraceParent>;
}

/// A `traceparent`: the trace, the step in it that is the parent of the next, and whether the trace is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    sampled: bool,
}

/// The text is no `traceparent`; the standard says to go on with a new trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of W3C Trace Context")]
pub struct BadTraceParent;

impl TraceParent {
    /// The start of a new trace, not recorded by anybody else.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        reason = "no two are equal, which a default would promise"
    )]
    pub fn new() -> Self {
        Self {
            trace_id: rand::random_range(1..=u128::MAX),
            parent_id: parent_id(),
            sampled: false,
        }
    }

    /// The next step of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            parent_id: parent_id(),
            ..self
        }
    }

    /// The name of the trace: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

fn parent_id() -> u64 {
    rand::random_range(1..=u64::MAX)
}

/// Writes version 00, whatever the version that was read.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(
            f,
            "00-{:032x}-{:016x}-{flags:02x}",
            self.trace_id, self.parent_id
        )
    }
}

/// Reads version 00, and of later versions the part that they share with it. Flags other than `sampled` are dropped.
impl FromStr for TraceParent {
    type Err = BadTraceParent;

    fn from_str(text: &str) -> Result<Self, BadTraceParent> {
        let bytes = text.as_bytes();
        let known = bytes.get(..VERSION_00_LENGTH).ok_or(BadTraceParent)?;
        let dashes = [known[2], known[35], known[52]];
        if dashes != [b'-'; 3] {
            return Err(BadTraceParent);
        }
        let version = hex(&known[..2])?;
        let ends_here = bytes.len() == VERSION_00_LENGTH;
        let may_go_on = version != 0 && bytes.get(VERSION_00_LENGTH) == Some(&b'-');
        let trace_id = hex(&known[3..35])?;
        let parent_id = hex(&known[36..52])? as u64;
        let flags = hex(&known[53..55])?;
        if version == 0xff || !(ends_here || may_go_on) || trace_id == 0 || parent_id == 0 {
            return Err(BadTraceParent);
        }
        Ok(Self {
            trace_id,
            parent_id,
            sampled: flags & 1 == 1,
        })
    }
}

/// Lower case only, as the standard has it; at most 32 digits.
fn hex(digits: &[u8]) -> Result<u128, BadTraceParent> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return Err(BadTraceParent),
        };
        Ok((number << 4) | u128::from(value))
    })
}

/// Runs a future within a trace: what it publishes belongs to it. A task that it spawns does not, unless it is wrapped in
/// [`inherit`].
pub async fn scope<F: Future>(context: impl Into<Option<TraceParent>>, future: F) -> F::Output {
    CURRENT.scope(context.into(), future).await
}

/// The trace of the running task, if it is in a [`scope`].
#[must_use]
pub fn current() -> Option<TraceParent> {
    CURRENT.try_with(|context| *context).ok().flatten()
}

/// A future that runs within the trace of whoever calls this: for `tokio::spawn`.
pub fn inherit<F: Future>(future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(current(), future)
}
