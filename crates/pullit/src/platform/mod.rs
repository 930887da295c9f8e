//! What every domain room stands on: configuration, database, clock, storage, broker, HTTP manners.

pub mod broker;
pub mod clock;
pub mod config;
pub mod db;
pub mod http;
pub mod idempotency;
pub mod log;
pub mod loopback;
pub mod migrations;
pub mod open_files;
pub mod payload;
pub mod private_folder;
pub mod run;
pub mod storage;
pub mod telemetry;
pub mod tls;
pub(crate) mod word;
pub mod write_probe;
