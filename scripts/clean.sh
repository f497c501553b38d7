#!/usr/bin/env bash
# Removes what was built and what the demo and the benchmarks left; images and a running engine stay.
source "$(dirname "$0")/prelude.sh"

rm -rf target "$cache/demo" "$cache/bench" "$cache/base-images" "$cache/logs"
