# The usual commands. `just` lists them; each also stands in CONTRIBUTING.md or README.md as a plain command.

set positional-arguments

_list:
    @just --list --unsorted

# Every test, or those that the arguments name, with private servers
test *ARGS:
    ./scripts/test "$@"

# One test of one crate: just test-one outbox key_order
test-one CRATE NAME *ARGS:
    ./scripts/test -p "$@"

# Format, lints, banned dependencies, links
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    ./scripts/check-dependencies
    ./scripts/check-links

# The benchmarks of one crate, on servers that commit to the disk: just bench outbox
bench CRATE *ARGS:
    ./scripts/with-servers --durable cargo bench -p "$@"

# The life of a question set, in a minute
demo:
    cargo run --release -- demo
