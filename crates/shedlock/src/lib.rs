//! A lock in a shared table that Java ShedLock and Rust processes exclude each other with.
