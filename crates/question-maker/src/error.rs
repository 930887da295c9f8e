//! Why no questions came back, and whether to try again.

use std::time::Duration;

/// Why no questions came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenerationError {
    /// The same request will fail again: it must not be retried.
    #[error("{code}: {message}")]
    Permanent {
        /// A stable code, e.g. `NOT_ENOUGH_MATERIAL`.
        code: &'static str,
        /// The reason, in Korean, for the person who asked.
        message: String,
    },
    /// Another attempt may succeed.
    #[error("{code}: {message}")]
    Transient {
        /// A stable code, e.g. `CANCELLED`.
        code: &'static str,
        /// The reason, in Korean, for the person who asked.
        message: String,
        /// How long the other side asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The generator cannot be asked now. The attempt is not over: it goes on later.
    #[error("put off for {after:?}")]
    PutOff {
        /// Not before this has passed.
        after: Duration,
    },
}

impl GenerationError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Permanent { code, .. } | Self::Transient { code, .. } => code,
            Self::PutOff { .. } => "PUT_OFF",
        }
    }

    /// The reason for the person who asked, without the code.
    pub fn message(&self) -> &str {
        match self {
            Self::Permanent { message, .. } | Self::Transient { message, .. } => message,
            Self::PutOff { .. } => "잠시 후 다시 시도합니다.",
        }
    }

    /// Whether the set may be tried again.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::Permanent { .. })
    }
}
