#!/usr/bin/env bash
# The Docker engine: `start` one when none answers and we are root, say its `status`, `stop` one that we
# started. `answers` is silent and only exits 0 or 1.
source "$(dirname "$0")/prelude.sh"

services="$cache/services"
host=${DOCKER_HOST:-unix:///var/run/docker.sock}
# Further options for a daemon that we start, e.g. `--data-root=/mnt/docker`.
read -ra daemon_options <<<"${LONGSHORE_DOCKERD_OPTIONS:-}"
start_limit_seconds=60

answers() { has docker && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# A killed daemon leaves its pid behind; another process may bear that number by now, and the new daemon
# would take it for its predecessor and refuse to start.
remove_stale_pid() {
    local file=$1 command=$2 pid
    [ -f "$file" ] || return 0
    pid=$(cat "$file")
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$command" ] || rm -f "$file"
}

is_ours_alive() {
    [ -f "$services/dockerd.pid" ] &&
        [ "$(cat "/proc/$(cat "$services/dockerd.pid")/comm" 2>/dev/null)" = dockerd ]
}

# Polled, because the daemon has no other way to tell us that it listens.
wait_until_it_answers() {
    local deadline=$((SECONDS + start_limit_seconds))
    until answers; do
        if [ -n "${1-}" ] && ! kill -0 "$1" 2>/dev/null; then return 1; fi
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

start_with_systemd() {
    systemctl start docker && wait_until_it_answers
}

start_daemon() {
    local exec_root=/var/run/docker pid_file=/var/run/docker.pid index pid
    for ((index = 0; index < ${#daemon_options[@]}; index++)); do
        case ${daemon_options[index]} in
        --exec-root=*) exec_root=${daemon_options[index]#*=} ;;
        --exec-root) exec_root=${daemon_options[index + 1]} ;;
        --pidfile=*) pid_file=${daemon_options[index]#*=} ;;
        --pidfile) pid_file=${daemon_options[index + 1]} ;;
        # A daemon without a bridge deletes docker0 as it starts, whoever made it and whoever uses it.
        --bridge=none)
            [ ! -e /sys/class/net/docker0 ] ||
                fail "--bridge=none would delete docker0 of another Docker engine" "leave the option out"
            ;;
        esac
    done
    remove_stale_pid "$pid_file" dockerd
    remove_stale_pid "$exec_root/containerd/containerd.pid" containerd
    if ! [ -d /run/systemd/system ] && has cgroupfs-mount && ! grep -q ' /sys/fs/cgroup' /proc/mounts; then
        cgroupfs-mount
    fi
    # It outlives this script and the terminal, and holds none of our files open (a lock among them).
    setsid dockerd --host "$host" "${daemon_options[@]}" >"$services/dockerd.log" 2>&1 </dev/null 9>&- &
    pid=$!
    printf '%s\n' "$pid" >"$services/dockerd.pid"
    wait_until_it_answers "$pid"
}

start() {
    ! answers || return 0
    local remedy="start the Docker engine, or set DOCKER_HOST to one that answers"
    case $host in unix://*) ;; *) fail "no Docker engine answers at $host" "$remedy" ;; esac
    is_root || fail "no Docker engine answers at $host, or you may not use it" \
        "start it (sudo systemctl start docker) and add yourself to its group (sudo usermod -aG docker $(id -un))"
    has dockerd || fail "no Docker engine answers and none is installed" "scripts/setup.sh installs it"
    mkdir -p "$services"
    exec 9>"$services/dockerd.lock"
    flock 9
    ! answers || return 0
    say "… start the Docker engine"
    if [ -d /run/systemd/system ] && [ -z "${DOCKER_HOST-}" ] && systemctl cat docker >/dev/null 2>&1; then
        start_with_systemd || fail "systemd could not start the Docker engine" "journalctl -u docker"
    elif ! start_daemon; then
        grep -E 'level=(error|fatal)|failed' "$services/dockerd.log" | tail -n 5 >&2 || true
        fail "the Docker engine did not start" "its log is in $services/dockerd.log"
    fi
    say "✓ the Docker engine answers at $host"
}

stop() {
    is_ours_alive || { say "no Docker engine of ours runs"; return 0; }
    local pid deadline=$((SECONDS + start_limit_seconds))
    pid=$(cat "$services/dockerd.pid")
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the Docker engine (pid $pid) does not end"
        sleep 0.2
    done
    rm -f "$services/dockerd.pid"
    say "✓ the Docker engine has ended"
}

status() {
    answers || { say "no Docker engine answers at $host"; exit 1; }
    local whose="not started by us"
    if is_ours_alive; then whose="started by us, pid $(cat "$services/dockerd.pid")"; fi
    say "Docker engine $(docker version --format '{{.Server.Version}}') at $host ($whose)"
}

case "${1-}" in
start) start ;;
stop) stop ;;
status) status ;;
answers) answers ;;
*) fail "usage: scripts/engine.sh start|status|stop|answers" ;;
esac
