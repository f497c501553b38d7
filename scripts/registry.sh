#!/usr/bin/env bash
# A registry of images for tests, on loopback: `start`, `stop`, `status`, `log` (who asked for what).
# `serve FOLDER PORT [password] [tls]` runs one of its own in the foreground, for a test: FOLDER keeps its images, its
# settings, `access.log`, and with tls the authority's certificate `ca.pem`.
source "$(dirname "$0")/prelude.sh"

port=${LONGSHORE_REGISTRY_PORT:-5059}
state="$cache/registry/$port"
locks="${XDG_CACHE_HOME:-$HOME/.cache}/longshore-services/registry"
start_limit_seconds=30
# alice with the password sw0rd?fish>~7000, whose characters differ between the two alphabets of Base64.
# shellcheck disable=SC2016 # the dollars are the hash's own
password_line='alice:$2y$05$dP9CwaqaeMq1d9kzoTiPhu6bzANSBRXDO3ah9wqp1ZTev9yhgBFBq'

write_settings() {
    local folder=$1 address=$2
    cat <<SETTINGS
version: 0.1
log: {level: error, accesslog: {disabled: false}}
storage:
  filesystem: {rootdirectory: $folder/images}
  delete: {enabled: true}
http:
  addr: $address
SETTINGS
    if [[ " ${*:3} " == *" tls "* ]]; then
        printf '  tls: {certificate: %s/server.pem, key: %s/server.key}\n' "$folder" "$folder"
    fi
    if [[ " ${*:3} " == *" password "* ]]; then
        printf 'auth: {htpasswd: {realm: longshore, path: %s/htpasswd}}\n' "$folder"
    fi
}

# An authority of our own, and a certificate of its for 127.0.0.1.
make_certificates() {
    local folder=$1
    local new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    openssl req -x509 "${new_key[@]}" -keyout "$folder/ca.key" -out "$folder/ca.pem" -days 2 \
        -subj "/CN=an authority of the tests" -addext basicConstraints=critical,CA:TRUE
    openssl req "${new_key[@]}" -keyout "$folder/server.key" -out "$folder/server.csr" -subj /CN=127.0.0.1
    openssl x509 -req -in "$folder/server.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial \
        -days 2 -out "$folder/server.pem" -extfile <(printf 'subjectAltName=IP:127.0.0.1\n')
}

serve() {
    local folder=$1
    has docker-registry || fail "no docker-registry is installed" "scripts/setup.sh installs it"
    mkdir -p "$folder/images"
    printf '%s\n' "$password_line" >"$folder/htpasswd"
    [[ " ${*:3} " != *" tls "* ]] || [ -f "$folder/ca.pem" ] || make_certificates "$folder" 2>"$folder/openssl.log" ||
        fail "no certificates could be made" "$folder/openssl.log says why"
    write_settings "$folder" "127.0.0.1:$2" "${@:3}" >"$folder/config.yml"
    # Its own variables would change the settings.
    exec env -i PATH="$PATH" OTEL_TRACES_EXPORTER=none docker-registry serve "$folder/config.yml" \
        >>"$folder/access.log" 2>>"$folder/error.log"
}

answers() {
    local answer
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    printf 'GET /v2/ HTTP/1.0\r\n\r\n' >&3
    answer=$(timeout 5 cat <&3 2>/dev/null)
    exec 3>&-
    [[ $answer == *Docker-Distribution-Api-Version* ]]
}

pid_of_server() { cat "$state/server.pid" 2>/dev/null; }

is_ours_alive() {
    local pid
    # The pid may be another process' by now.
    pid=$(pid_of_server) && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "docker-registry serve $state/"
}

start() {
    ! answers || return 0
    mkdir -p "$state" "$locks"
    exec 9>"$locks/$port.lock"
    flock 9
    ! answers || return 0
    say "… start the registry"
    # It outlives this script and the terminal, and holds none of our files open (a lock among them).
    setsid "$0" serve "$state" "$port" >"$state/start.log" 2>&1 </dev/null 9>&- &
    local pid=$! deadline=$((SECONDS + start_limit_seconds))
    printf '%s\n' "$pid" >"$state/server.pid"
    until answers; do
        kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] ||
            fail "the registry did not start at 127.0.0.1:$port" "its logs are in $state"
        sleep 0.1
    done
    say "✓ the registry answers at 127.0.0.1:$port"
}

stop() {
    is_ours_alive || { say "no registry of ours runs at 127.0.0.1:$port"; return 0; }
    local pid
    pid=$(pid_of_server)
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -f "$state/server.pid"
    say "✓ the registry at 127.0.0.1:$port has ended"
}

status() {
    answers || { say "no registry answers at 127.0.0.1:$port"; exit 1; }
    local whose="not started by this clone"
    if is_ours_alive; then whose="started by us, pid $(pid_of_server)"; fi
    say "registry at 127.0.0.1:$port ($whose)"
}

case "${1-}" in
start) start ;;
stop) stop ;;
status) status ;;
answers) answers ;;
log) cat "$state/access.log" ;;
serve) serve "${@:2}" ;;
*) fail "usage: scripts/registry.sh start|stop|status|answers|log|serve FOLDER PORT [password] [tls]" ;;
esac
