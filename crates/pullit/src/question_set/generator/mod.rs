//! The question generators that belong to the service.

pub mod model;
