#!/usr/bin/env bash
# Measures against the peers with the release build. MEGABYTES (of data, default 1000), QUOTED (all or
# minimal), RUNS (per contender), ONLY (a regular expression on case names), WRITE=1 (docs/benchmarks.md).
source "$(dirname "$0")/prelude.sh"

scripts/setup.sh
scripts/engine.sh start
scripts/base-images.sh shell
has python3 || fail "python3 is not installed" "apt-get install python3 python3-venv"
build_step "compile longshore (release)" cargo build --release --locked

# Pinned, because a peer that changes would move our ratios.
duckdb_version=2.0.0
venv="$cache/bench/venv"
if ! "$venv/bin/python" -c 'import duckdb' 2>/dev/null; then
    step "make the peers' environment" python3 -m venv "$venv"
    step "install DuckDB" "$venv/bin/pip" install --quiet "duckdb==$duckdb_version"
fi

options=()
[ -z "${MEGABYTES-}" ] || options+=(--megabytes "$MEGABYTES")
[ -z "${QUOTED-}" ] || options+=(--quoted "$QUOTED")
[ -z "${RUNS-}" ] || options+=(--runs "$RUNS")
[ -z "${ONLY-}" ] || options+=(--only "$ONLY")
[ "${WRITE-}" != 1 ] || options+=(--write docs/benchmarks.md)
exec "$venv/bin/python" benches/bench.py "${options[@]}"
