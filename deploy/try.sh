#!/usr/bin/env bash
# Tries deploy/compose.yaml from end to end: builds images from Debian's packages where the official ones cannot be
# pulled, starts everything under a project name of its own, lets both workers run jobs, and removes it all again.
# KEEP=1 leaves it running. LONGSHORE_BINARY names the program to try (default: target/debug/longshore).
source "$(dirname "$0")/../scripts/prelude.sh"

project=longshore-try
home="$cache/try/home"
binary=${LONGSHORE_BINARY:-target/debug/longshore}
jobs_count=${JOBS:-20}
tools="${XDG_CACHE_HOME:-$HOME/.cache}/longshore-tools"

if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
elif has docker-compose; then
    compose=(docker-compose)
else
    fail "neither the compose plugin nor docker-compose is installed" "apt-get install docker-compose"
fi
# The stand-ins answer to the same settings as the official images.
export LONGSHORE_IMAGE=longshore-try/longshore RABBITMQ_IMAGE=longshore-try/rabbitmq \
    POSTGRES_IMAGE=longshore-try/postgres STORE_IMAGE=longshore-try/garage \
    LONGSHORE_HOME="$home" LONGSHORE_AMQP_PORT="${LONGSHORE_AMQP_PORT:-25672}"
compose() { "${compose[@]}" --project-name "$project" --file deploy/compose.yaml "$@"; }
longshore() { compose exec -T worker-1 longshore "$@"; }

# stand_in NAME CONTEXT [DOCKERFILE]
stand_in() {
    step "image longshore-try/$1" docker build --network host --tag "longshore-try/$1" \
        --file "${3:-$2/Dockerfile}" "$2"
}

build_images() {
    local context="$cache/try/context"
    [ -x "$binary" ] || build_step "compile longshore" cargo build --locked
    rm -rf "$context"
    mkdir -p "$context/longshore" "$context/garage"
    cp "$binary" "$context/longshore/longshore"
    cp -r component-specs "$context/longshore/"
    stand_in longshore "$context/longshore" deploy/stand-ins/longshore.Dockerfile
    stand_in rabbitmq deploy/stand-ins/rabbitmq
    stand_in postgres deploy/stand-ins/postgres
    [ -x "$tools/bin/garage" ] || fail "the S3 store is not compiled yet" "scripts/s3.sh start compiles it"
    cp "$tools/bin/garage" "$context/garage/garage"
    stand_in garage "$context/garage" deploy/stand-ins/garage/Dockerfile
}

remove() {
    compose down --volumes --timeout 20 >"$cache/logs/try-down.log" 2>&1 || say "not all of it could be removed"
    rm -rf "$home"
}

# until_done SECONDS WHAT COMMAND…: polled, because there is nobody to tell us.
until_done() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || { compose logs --tail 30 >&2; fail "$what took too long"; }
        sleep 1
    done
}

count() { longshore job ls --format json | grep -c "\"status\": *\"$1\"" || true; }
all_succeeded() { [ "$(count success)" -ge "$jobs_count" ]; }

submit_jobs() {
    local number
    for ((number = 1; number <= jobs_count; number++)); do
        printf '{"parameters": {"script": "echo n > out/tables/t.csv; echo %s >> out/tables/t.csv"}, "storage": {"output": {"tables": [{"source": "t.csv", "destination": "out.c-try.t%s"}]}}}' \
            "$number" "$number" >"$home/job-$number.json"
        longshore submit shell-transformation --config "$home/job-$number.json" >/dev/null
    done
}

scripts/engine.sh start
scripts/base-images.sh shell
build_images
deploy/secrets.sh
[ -n "${KEEP-}" ] || trap remove EXIT
mkdir -p "$home"
step "start broker, database, store and two workers" compose up --detach
until_done 120 "the start of the workers" longshore job ls >/dev/null
say "… submit $jobs_count jobs"
submit_jobs
until_done 300 "running $jobs_count jobs" all_succeeded
[ "$(longshore table head out.c-try.t"$jobs_count" | tail -n 1)" = "$jobs_count" ] || fail "a table is not what its job wrote"
say "✓ $jobs_count jobs ended in success, by worker:"
for worker in worker-1 worker-2; do
    say "  $worker: $(compose logs --no-color "$worker" | grep -c 'the job has ended' || true)"
done
step "drain both workers" compose stop --timeout 60 worker-1 worker-2
say "✓ the compose file works"
