//! Each endpoint of the contract, through the HTTP port.

mod across_nodes;
mod admin;
mod dev_login;
mod documents;
mod edge;
mod idempotency;
mod links;
mod marking;
mod notifications;
mod operation;
mod question_sets;
mod quotas;
mod sessions;
mod sign_in;
mod stats;
mod upload;
mod whole_life;
