#!/usr/bin/env bash
# A PostgreSQL server for the tests, on loopback: `start` one when none answers, say its `status`, `stop` one
# that we started. `answers` is silent and only exits 0 or 1, `url` prints the address. Clones of the project
# share one server; each test has a database of its own. LONGSHORE_POSTGRES_PORT names another instance.
source "$(dirname "$0")/prelude.sh"

services="$cache/services"
default_port=15432
port=${LONGSHORE_POSTGRES_PORT:-$default_port}
url="postgres://longshore:longshore@127.0.0.1:$port/postgres"
start_limit_seconds=60

# Debian keeps the server's programs off the path, by version.
programs() {
    local found
    found=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] || found=$(command -v initdb) || return 1
    dirname "$found"
}

answers() { has psql && PGCONNECT_TIMEOUT=5 psql --no-psqlrc --quiet --command 'SELECT 1' "$url" >/dev/null 2>&1; }

# The server refuses to run as root.
owner=postgres
getent passwd "$owner" >/dev/null || owner=nobody
as_owner() { if is_root; then setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups "$@"; else "$@"; fi; }

mkdir -p "$services"
name=postgres
[ "$port" = "$default_port" ] || name="postgres-$port"
data="$services/$name"
# A clone in a home folder that nobody else may enter is no place for it.
if is_root && ! as_owner test -x "$services"; then data="/var/tmp/longshore-$name"; fi

is_ours_alive() { [ -f "$data/postmaster.pid" ] && kill -0 "$(head -n 1 "$data/postmaster.pid")" 2>/dev/null; }

# Its content is worth nothing: it need not survive a power cut, and is made again when it does not start.
make_data() {
    local bin=$1
    rm -rf "$data"
    mkdir -p "$data"
    printf 'longshore\n' >"$data.password"
    if is_root; then chown "$owner" "$data" "$data.password"; fi
    as_owner "$bin/initdb" --pgdata "$data" --username longshore --pwfile "$data.password" --encoding UTF8 \
        --locale C.UTF-8 --auth-local trust --auth-host scram-sha-256 --no-sync || return
    cat >>"$data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 400
fsync = off
full_page_writes = off
SETTINGS
}

run() {
    local bin
    bin=$(programs)
    [ -f "$data/PG_VERSION" ] && [ "$(cat "$data/PG_VERSION")" = "$(basename "$(dirname "$bin")")" ] ||
        make_data "$bin" >"$services/$name.log" 2>&1 || return
    # It outlives this script and the terminal, and holds none of our files open (a lock among them).
    as_owner setsid "$bin/postgres" -D "$data" >"$services/$name.log" 2>&1 </dev/null 9>&- &
    local pid=$! deadline=$((SECONDS + start_limit_seconds))
    until answers; do
        kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

start() {
    ! answers || return 0
    has psql && programs >/dev/null || fail "PostgreSQL is not installed" "scripts/setup.sh installs it"
    exec 9>/tmp/longshore-postgres-$port.lock
    flock 9
    ! answers || return 0
    say "… start PostgreSQL"
    if ! run; then
        tail -n 5 "$services/$name.log" >&2 || true
        fail "PostgreSQL did not start" "its log is in $services/$name.log"
    fi
    say "✓ PostgreSQL answers at 127.0.0.1:$port"
}

stop() {
    is_ours_alive || { say "no PostgreSQL of ours runs"; return 0; }
    local pid deadline=$((SECONDS + start_limit_seconds))
    pid=$(head -n 1 "$data/postmaster.pid")
    # Does not wait for those who are connected.
    kill -INT "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || fail "PostgreSQL (pid $pid) does not end"
        sleep 0.2
    done
    say "✓ PostgreSQL has ended"
}

status() {
    answers || { say "no PostgreSQL answers at 127.0.0.1:$port"; exit 1; }
    local whose="not started by this clone"
    if is_ours_alive; then whose="started by this clone, pid $(head -n 1 "$data/postmaster.pid")"; fi
    say "PostgreSQL $(psql --no-psqlrc --tuples-only --no-align --command 'SHOW server_version' "$url") at 127.0.0.1:$port ($whose)"
}

case "${1-}" in
start) start ;;
stop) stop ;;
status) status ;;
answers) answers ;;
url) printf '%s\n' "$url" ;;
*) fail "usage: scripts/postgres.sh start|status|stop|answers|url" ;;
esac
