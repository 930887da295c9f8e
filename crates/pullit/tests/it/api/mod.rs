//! Each endpoint of the contract, through the HTTP port.

mod across_nodes;
mod admin;
mod documents;
mod idempotency;
mod marking;
mod notifications;
mod operation;
mod question_sets;
mod sessions;
mod sign_in;
mod stats;
mod upload;
mod whole_life;
