#!/usr/bin/env bash
# Everything that reads the code without running it: format, lints, documentation, licences.
source "$(dirname "$0")/prelude.sh"

scripts/setup.sh
cargo fmt --check || fail "the code is not formatted" "cargo fmt"
cargo clippy --quiet --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --document-private-items --locked

# Building it takes some minutes, so a developer's machine does without; CI keeps it between runs.
tools="${XDG_CACHE_HOME:-$HOME/.cache}/longshore-tools"
PATH="$PATH:$tools/bin"
if ! has cargo-deny && [ "${CI-}" = true ]; then
    step "install cargo-deny" cargo install --locked --root "$tools" cargo-deny
fi
if ! has cargo-deny; then
    say "skipped: licences and advisories (cargo install --locked cargo-deny)"
    exit 0
fi
checks=(bans licenses sources)
# The advisories are fetched from a repository of their own, so they are asked for where that can be reached.
if [ "${ADVISORIES-}" = 1 ]; then
    checks+=(advisories)
else
    say "skipped: advisories (ADVISORIES=1 make check fetches them)"
fi
cargo deny --log-level error --locked check --hide-inclusion-graph "${checks[@]}"
