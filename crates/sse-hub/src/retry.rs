//! How long a client waits before it reconnects.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::Frame;

/// The whole body of a stream that is refused: a `retry:` with a random time of the range.
///
/// Served with status 200, it makes a browser reconnect later. The jitter keeps a crowd from reconnecting
/// at once.
pub fn refusal_body(retry: Range<Duration>) -> Bytes {
    jittered(&retry).into()
}

pub(crate) fn jittered(range: &Range<Duration>) -> Frame {
    let wait = if range.is_empty() {
        range.start
    } else {
        rand::random_range(range.clone())
    };
    Frame::retry(wait)
}
