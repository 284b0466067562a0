set shell := ["bash", "-euo", "pipefail", "-c"]

# List the recipes.
default:
    @just --list

# Format the Rust code.
fmt:
    cargo fmt --all

# Lint with warnings as errors.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Run the tests; `just test --rust` is the quick loop.
test *args:
    cargo xtask test {{args}}

# Run the client tests over every client version that the contracts name.
conformance:
    cargo xtask conformance

# Check the direction of dependencies.
layers:
    cargo xtask layers

# Build the documentation, private items too, with warnings as errors.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

# Write openapi.json and the console's types from the code.
openapi:
    cargo xtask openapi

# Measure a release build and print the table.
bench:
    cargo xtask bench

# Start Skein on 127.0.0.1:8000.
run *args:
    cargo run -- {{args}}

# What continuous integration runs.
ci:
    .ci/run
