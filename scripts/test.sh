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
    exec cargo nextest run --locked "$@"
fi
exec cargo test --locked "$@"
