//! Members: who they are, and whether they may use the service.

pub mod http;
mod model;
mod service;
mod store;

pub use model::{Member, MemberStatus, Role};
pub use service::{CreateMember, MemberError, Members};
