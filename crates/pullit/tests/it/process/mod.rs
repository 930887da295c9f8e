//! The real binary: what it prints, how it ends, and what a crash leaves behind.
