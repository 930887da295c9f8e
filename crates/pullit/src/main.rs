//! The `pullit` binary: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    pullit::platform::tls::install();
    // Variables that are not UTF-8 are none of ours.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    pullit::cli::main(environment)
}
