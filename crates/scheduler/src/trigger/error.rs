//! Why a trigger cannot be built.

use std::time::Duration;

/// Why a trigger cannot be built.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TriggerError {
    /// The expression has five, seven or another wrong number of fields.
    #[error(
        "cron expression `{expression}` has {found} fields, it needs six (second minute hour day month weekday): {hint}"
    )]
    Fields {
        /// The expression as written.
        expression: String,
        /// How many fields it has.
        found: usize,
        /// What to write instead.
        hint: String,
    },
    /// One field cannot be read.
    #[error("cron expression `{expression}`: the {field} field `{text}` {problem}")]
    Field {
        /// The expression as written.
        expression: String,
        /// Which of the six fields.
        field: &'static str,
        /// That field as written.
        text: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The expression reads well and names no day that ever comes, like 30 February.
    #[error("cron expression `{0}` never fires: no date matches it")]
    Never(String),
    /// An unknown `@macro`.
    #[error(
        "`{0}` is not a cron macro: use @yearly (or @annually), @monthly, @weekly, @daily (or @midnight) or @hourly"
    )]
    Macro(String),
    /// A delay, a rate or a jitter of zero, or too long to count.
    #[error("a period of {0:?} cannot be kept: use one between a millisecond and a thousand years")]
    Period(Duration),
    /// A jitter that would move a slot onto the next one.
    #[error(
        "a jitter of {jitter:?} is too long: slots come {apart:?} apart, and a slot must start before the next one is due"
    )]
    Jitter {
        /// The jitter asked for.
        jitter: Duration,
        /// The shortest time between two slots.
        apart: Duration,
    },
}
