//! Learning sources: the documents that members upload.

pub mod extraction;
