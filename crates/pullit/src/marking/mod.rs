//! Marking: answers in, results out, and everything that follows in one transaction.

mod answer;
mod error;
pub mod http;
mod service;

pub use service::Marking;
