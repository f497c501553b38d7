#!/usr/bin/env bash
# Runs every test, after installing and starting what they need. Arguments go to the test runner.
source "$(dirname "$0")/prelude.sh"

scripts/services.sh
scripts/gelf-client.sh
# R is large, so a developer builds it when it is wanted (`make base-images`); its tests then run here too.
families=(shell python)
[ "${CI-}" != true ] || families+=(r)
# The images are network and disk, the compiler is processor: together they take no longer than the one.
scripts/base-images.sh "${families[@]}" &
images=$!
build_step "compile the tests" cargo test --no-run --locked
wait "$images" || fail "the images could not be built"

if cargo nextest --version >/dev/null 2>&1; then
    # A shared machine that stalls for a minute is no failure of ours: CI asks a failed test once more, names it as flaky in
    # its summary, and tells of all failures at once.
    [ "${CI-}" != true ] || set -- --retries 1 --no-fail-fast "$@"
    exec cargo nextest run --locked "$@"
fi
exec cargo test --locked "$@"
