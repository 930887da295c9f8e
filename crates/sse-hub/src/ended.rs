//! Why streams end or are refused.

use thiserror::Error;

/// Why the hub ended a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// It was evicted: the key had too many streams, and this was its oldest.
    GaveWay,
    /// Its queue was full.
    TooSlow,
    /// It took nothing for longer than `HubOptions::stall` while frames were waiting.
    Stalled,
    /// The deadline given to `Subscription::until` passed.
    Expired,
    /// `Hub::disconnect` was called for its key.
    CutOff,
    /// The hub is draining.
    Draining,
}

impl Ended {
    pub(crate) const ALL: [Self; 6] = [
        Self::GaveWay,
        Self::TooSlow,
        Self::Stalled,
        Self::Expired,
        Self::CutOff,
        Self::Draining,
    ];

    /// The value of the `reason` label in `sse_dropped_total`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GaveWay => "gave_way",
            Self::TooSlow => "too_slow",
            Self::Stalled => "stalled",
            Self::Expired => "expired",
            Self::CutOff => "cut_off",
            Self::Draining => "draining",
        }
    }
}

/// Why a stream was not admitted.
///
/// Answer with status 200 and [`refusal_body`](crate::refusal_body) in both cases: any other status ends a
/// browser's `EventSource` for good. `server::refusal` is the whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// `HubOptions::total` streams are open.
    #[error("the hub is full: answer 200 with a long retry, or raise the limit of streams")]
    Full,
    /// The hub is draining.
    #[error("the hub is draining: answer 200 with a retry, another node will take the client")]
    Draining,
}
