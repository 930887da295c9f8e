//! The manners of the HTTP edge: errors, bodies, identifiers, the caller.

mod error;
mod extract;
mod idempotency_key;
mod openapi;
mod validation;

pub use error::{ApiError, Code, FieldError, codes};
pub use extract::{Caller, Identify, Identity, Json, PathId, Query};
pub use idempotency_key::IdempotencyKey;
pub use openapi::describe_problems;
pub use validation::Fields;

/// The largest JSON body that is read, in bytes.
pub const MAX_BODY: usize = 256 * 1024;
