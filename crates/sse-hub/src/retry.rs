use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::Frame;

/// The whole body of a stream that is refused: a `retry:` of some time in the range and nothing
/// else. Served with status 200, it makes a browser come back later; spread over the range, a
/// crowd does not come back at once.
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
