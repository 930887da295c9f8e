//! The test kit, used as the other crates use it.

mod databases;
