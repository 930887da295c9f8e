//! What an operator can do: shared by command line, HTTP and console.

mod control;
mod list;
mod run_now;
