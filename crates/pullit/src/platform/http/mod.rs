//! The manners of the HTTP edge: errors, bodies, identifiers, the caller.

mod client_address;
mod error;
mod extract;
pub(crate) mod guard;
mod idempotency_key;
mod openapi;
mod rate_limit;
mod validation;

pub use client_address::{FORWARDED_FOR, Network, bucket, client_address};
pub use error::{ApiError, Code, FieldError, codes};
pub use extract::{Caller, Identify, Identity, Json, PathId, Query};
pub use idempotency_key::IdempotencyKey;
pub use openapi::describe_problems;
pub use rate_limit::RateLimit;
pub use validation::Fields;

/// The largest JSON body that is read, in bytes.
pub const MAX_BODY: usize = 256 * 1024;
