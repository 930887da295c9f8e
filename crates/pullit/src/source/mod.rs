//! Learning sources: the documents that members upload.
//!
//! A member asks for an upload URL, PUTs the bytes there, and says so: from then on there is a source. The extraction loop of a worker
//! reads its text and makes it READY, or FAILED with a reason. A deleted source is hidden at once; the nightly cleanup removes its object
//! and its rows when no living question set needs them any more.

mod cleanup;
mod documents;
mod error;
mod extraction_loop;
mod http;
mod model;
mod service;
mod store;
mod uploads;

pub use cleanup::{CleanupError, Removed};
pub use error::SourceError;
pub use extraction_loop::{Extract, ExtractionLoop, ExtractionOptions};
pub use http::{routes, upload_routes};
pub use model::{
    CompleteUpload, ListedSource, NewUpload, SourceState, SourceStatus, SourceText, Upload,
};
pub use service::{SourceLimits, Sources};

#[cfg(test)]
mod tests;
