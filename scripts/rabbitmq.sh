#!/usr/bin/env bash
# RabbitMQ for tests, on loopback: `start`, `stop`, `status`, `env` (how tests reach it); `stop_app` and
# `start_app` take the broker off and on again while its Erlang node stays, `ctl …` is rabbitmqctl.
# LONGSHORE_RABBITMQ_PORT names another instance: the port is the instance, in every clone of the project.
# LONGSHORE_RABBITMQ_SETTINGS is a file with further lines of rabbitmq.conf for a broker that we start.
source "$(dirname "$0")/prelude.sh"

port=${LONGSHORE_RABBITMQ_PORT:-5679}
# Not the standard port, so that a broker of the machine's own keeps its epmd.
epmd_port=4379
state="$cache/rabbitmq/$port"
# The cookie is the password between a node and rabbitmqctl; all clones of one person share it.
home="${XDG_CACHE_HOME:-$HOME/.cache}/longshore-services/rabbitmq"
start_limit_seconds=90
# Debian's wrapper in /usr/sbin would run everything as a user who cannot write here.
programs=/usr/lib/rabbitmq/bin

on_loopback='-kernel inet_dist_use_interface {127,0,0,1}'
export HOME="$home"
export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$epmd_port
export RABBITMQ_NODENAME="longshore-$port@localhost"
export RABBITMQ_CONF_ENV_FILE=/dev/null
export RABBITMQ_CTL_ERL_ARGS="$on_loopback"

make_home() {
    mkdir -p "$home"
    [ -f "$home/.erlang.cookie" ] || (umask 377 && head -c 24 /dev/urandom | base64 | tr -dc A-Za-z0-9 >"$home/.erlang.cookie")
}

# A broker greets who sends the protocol's header; a port that is only open is not enough.
answers() {
    local greeting
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    printf 'AMQP\x00\x00\x09\x01' >&3
    greeting=$(timeout 5 head -c 32 <&3 2>/dev/null | tr -d '\0')
    exec 3>&-
    [[ $greeting == *capabilities* ]]
}

ctl() { "$programs/rabbitmqctl" --quiet "$@"; }

pid_of_server() { cat "$state/server.pid" 2>/dev/null; }

is_ours_alive() {
    local pid
    # The pid may be another process' by now; only ours bears the node's name.
    pid=$(pid_of_server) && grep -qsz "^RABBITMQ_NODENAME=$RABBITMQ_NODENAME$" "/proc/$pid/environ"
}

# What is small here is large by default: the write-ahead log of quorum queues alone takes 512 MiB.
write_settings() {
    cat >"$state/rabbitmq.conf" <<SETTINGS
listeners.tcp.1 = 127.0.0.1:$port
distribution.listener.interface = 127.0.0.1
raft.wal_max_size_bytes = 33554432
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.file.level = info
SETTINGS
    [ -z "${LONGSHORE_RABBITMQ_SETTINGS-}" ] || cat "$LONGSHORE_RABBITMQ_SETTINGS" >>"$state/rabbitmq.conf"
    printf '[].\n' >"$state/enabled_plugins"
}

start_server() {
    write_settings
    export RABBITMQ_CONFIG_FILE="$state/rabbitmq.conf"
    export RABBITMQ_ENABLED_PLUGINS_FILE="$state/enabled_plugins"
    export RABBITMQ_MNESIA_BASE="$state/mnesia" RABBITMQ_LOG_BASE="$state/log"
    export RABBITMQ_DIST_PORT=$((port + 20000)) ERL_CRASH_DUMP="$state/erl_crash.dump"
    export RABBITMQ_PID_FILE="$state/server.pid"
    # One scheduler: the tests want the processor.
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 $on_loopback"
    # It outlives this script and the terminal, and holds none of our files open (a lock among them).
    setsid "$programs/rabbitmq-server" >"$state/server.log" 2>&1 </dev/null 9>&- &
    local deadline=$((SECONDS + start_limit_seconds))
    until answers; do
        kill -0 $! 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

start() {
    make_home
    ! answers || return 0
    [ -x "$programs/rabbitmq-server" ] || fail "no RabbitMQ is installed" "scripts/setup.sh installs it"
    mkdir -p "$state"
    exec 9>"$home/$port.lock"
    flock 9
    ! answers || return 0
    say "… start RabbitMQ"
    if ! start_server; then
        tail -n 5 "$state/server.log" >&2
        fail "RabbitMQ did not start at 127.0.0.1:$port" "its logs are in $state"
    fi
    say "✓ RabbitMQ answers at 127.0.0.1:$port"
}

stop() {
    is_ours_alive || { say "no RabbitMQ of ours runs at 127.0.0.1:$port"; return 0; }
    local pid deadline=$((SECONDS + start_limit_seconds))
    pid=$(pid_of_server)
    # The node shuts down cleanly when it is asked by a signal, also while its application is stopped.
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || fail "RabbitMQ (pid $pid) does not end"
        sleep 0.1
    done
    rm -f "$state/server.pid"
    # epmd refuses while other nodes need it.
    epmd -port "$epmd_port" -kill >/dev/null 2>&1 || true
    say "✓ RabbitMQ at 127.0.0.1:$port has ended"
}

status() {
    answers || { say "no RabbitMQ answers at 127.0.0.1:$port"; exit 1; }
    local whose="not started by this clone"
    if is_ours_alive; then whose="started by us, pid $(pid_of_server)"; fi
    say "RabbitMQ at 127.0.0.1:$port ($whose)"
}

print_env() { printf 'LONGSHORE_QUEUE_URL=amqp://guest:guest@127.0.0.1:%s/%%2f\n' "$port"; }

case "${1-}" in
start) start ;;
stop) stop ;;
status) status ;;
answers) answers ;;
env) print_env ;;
stop_app) ctl stop_app ;;
start_app) ctl start_app ;;
ctl) ctl "${@:2}" ;;
*) fail "usage: scripts/rabbitmq.sh start|stop|status|answers|env|stop_app|start_app|ctl …" ;;
esac
