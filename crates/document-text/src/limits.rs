//! What one document may cost.

use std::time::Duration;

/// What one document may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Pages of a PDF.
    pub max_pages: u32,
    /// Characters (Unicode scalar values) of the text.
    pub max_chars: usize,
    /// Address space of the child process, in bytes.
    pub memory_bytes: u64,
    /// CPU time of the child process, in whole seconds.
    pub cpu_seconds: u64,
    /// From the child's start to its end, whatever it waits for.
    pub wall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pages: 1_000,
            max_chars: 2_000_000,
            memory_bytes: 512 * 1024 * 1024,
            cpu_seconds: 45,
            wall: Duration::from_secs(60),
        }
    }
}
