//! Starts private servers for the tests and drives a pullit process.
