//! The `pullit` binary.
fn main() {}
