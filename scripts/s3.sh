#!/usr/bin/env bash
# An S3 server for tests and benchmarks: Garage on a loopback port, one for all clones of the project on this machine.
# `start` it where none answers, say its `status`, `stop` one that we started; `env` prints what its users need.
source "$(dirname "$0")/prelude.sh"

version=2.5.0
tools="${XDG_CACHE_HOME:-$HOME/.cache}/longshore-tools"
garage="$tools/bin/garage"
home="$cache/services/garage"
s3_port=13900
rpc_port=13901
admin_port=13903
bucket=longshore-test
# Known to everybody: the server listens on loopback and holds nothing but tests.
key_id=GK1fa1c0de1fa1c0de1fa1c0de
secret=1fa1c0de1fa1c0de1fa1c0de1fa1c0de1fa1c0de1fa1c0de1fa1c0de1fa1c0de
start_limit_seconds=60

answers() { curl --fail --silent --max-time 5 --output /dev/null "http://127.0.0.1:$admin_port/health"; }

is_ours_alive() {
    [ -f "$home/pid" ] && [ "$(cat "/proc/$(cat "$home/pid")/comm" 2>/dev/null)" = garage ]
}

install() {
    [ "$("$garage" --version 2>/dev/null | grep -o "$version" | head -n 1)" != "$version" ] || return 0
    mkdir -p "$tools"
    # Another clone may be at it: this takes some eight minutes on two cores.
    exec 8>"$tools/garage.lock"
    flock 8
    if [ "$("$garage" --version 2>/dev/null | grep -o "$version" | head -n 1)" != "$version" ]; then
        build_step "compile the S3 server garage $version" cargo install garage --version "$version" --locked \
            --no-default-features --features bundled-libs,sqlite --root "$tools"
    fi
    exec 8>&-
}

# Nothing here must outlive a power cut, so nothing is synced.
configure() {
    mkdir -p "$home"
    cat >"$home/garage.toml" <<TOML
metadata_dir = "$home/meta"
data_dir = "$home/data"
db_engine = "sqlite"
metadata_fsync = false
data_fsync = false
compression_level = "none"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:$rpc_port"
rpc_public_addr = "127.0.0.1:$rpc_port"
rpc_secret = "$secret"

[s3_api]
s3_region = "us-east-1"
api_bind_addr = "127.0.0.1:$s3_port"

[admin]
api_bind_addr = "127.0.0.1:$admin_port"
TOML
    chmod 600 "$home/garage.toml"
}

start() {
    ! answers || return 0
    install
    mkdir -p "$home"
    exec 9>"$home/lock"
    flock 9
    ! answers || return 0
    say "… start the S3 server"
    configure
    # It outlives this script and the terminal, and holds none of our files open (a lock among them).
    GARAGE_DEFAULT_ACCESS_KEY=$key_id GARAGE_DEFAULT_SECRET_KEY=$secret GARAGE_DEFAULT_BUCKET=$bucket \
        RUST_LOG=garage=warn setsid "$garage" -c "$home/garage.toml" server --single-node --default-bucket \
        >"$home/log" 2>&1 </dev/null 9>&- &
    local pid=$! deadline=$((SECONDS + start_limit_seconds))
    printf '%s\n' "$pid" >"$home/pid"
    until answers; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 10 "$home/log" >&2
            fail "the S3 server did not start" "its log is $home/log"
        fi
        sleep 0.1
    done
    say "✓ the S3 server answers at http://127.0.0.1:$s3_port"
}

stop() {
    is_ours_alive || { say "no S3 server of ours runs"; return 0; }
    local pid deadline=$((SECONDS + start_limit_seconds))
    pid=$(cat "$home/pid")
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the S3 server (pid $pid) does not end"
        sleep 0.1
    done
    rm -f "$home/pid"
    say "✓ the S3 server has ended"
}

status() {
    answers || { say "no S3 server answers at http://127.0.0.1:$s3_port"; exit 1; }
    local whose="not started by this clone"
    if is_ours_alive; then whose="started by us, pid $(cat "$home/pid")"; fi
    say "S3 server Garage at http://127.0.0.1:$s3_port, bucket $bucket ($whose)"
}

# As settings take it from the environment.
environment() {
    printf 'LONGSHORE_BLOBS_S3_ENDPOINT=http://127.0.0.1:%s\n' "$s3_port"
    printf 'LONGSHORE_BLOBS_S3_BUCKET=%s\n' "$bucket"
    printf 'LONGSHORE_BLOBS_S3_REGION=us-east-1\n'
    printf 'LONGSHORE_BLOBS_S3_PATH_STYLE=true\n'
    printf 'LONGSHORE_BLOBS_S3_ACCESS_KEY_ID=%s\n' "$key_id"
    printf 'LONGSHORE_BLOBS_S3_SECRET_ACCESS_KEY=%s\n' "$secret"
}

case "${1-}" in
start) start ;;
stop) stop ;;
status) status ;;
answers) answers ;;
env) environment ;;
*) fail "usage: scripts/s3.sh start|status|stop|answers|env" ;;
esac
