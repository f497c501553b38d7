#!/usr/bin/env bash
# Starts what the tests need beside the program, each service by its own script.
# Without names all of them are started.
source "$(dirname "$0")/prelude.sh"

known=(engine rabbitmq postgres s3)

[ $# -gt 0 ] || set -- "${known[@]}"
for service in "$@"; do
    [[ " ${known[*]} " == *" $service "* ]] ||
        fail "unknown service: $service" "one of: ${known[*]}"
    "scripts/$service.sh" start
    "scripts/$service.sh" status
done
