# shellcheck shell=bash
# Sourced by every script: where the project lies, how a script speaks, where Rust's tools are.
# Steps go to stderr, so that a script's stdout stays data.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
cache="$root/.cache"
mkdir -p "$cache/logs"
# rustup installs there, and a fresh login shell may not know it yet; daemons are not on a person's path.
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/sbin:/sbin"

say() { printf '%s\n' "$*" >&2; }
fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
    exit 1
}

# One line before a step that takes time and one after it; its output is shown only when it fails.
# step NAME COMMAND…
step() {
    local name=$1 log started=$SECONDS
    shift
    log="$cache/logs/$(printf '%s' "$name" | tr -c 'A-Za-z0-9._-' '-').log"
    say "… $name"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 40 "$log" >&2
        fail "$name failed" "the whole output is in $log"
    fi
    say "✓ $name ($((SECONDS - started)) s)"
}

# Cargo shows its own progress to a person; elsewhere a build is a step like the others.
build_step() {
    if [ -t 2 ]; then
        say "… $1"
        "${@:2}"
    else
        step "$@"
    fi
}

is_root() { [ "$(id -u)" -eq 0 ]; }
has() { command -v "$1" >/dev/null 2>&1; }
