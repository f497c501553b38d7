#!/usr/bin/env bash
# Fetches a public GELF client from PyPI into .cache/gelf-client, for the tests. What is there already is left alone.
source "$(dirname "$0")/prelude.sh"

client=pygelf==0.4.3
folder="$cache/gelf-client"

fetch() { python3 -m pip download --quiet --no-deps --no-binary :none: --dest "$folder" "$client"; }

compgen -G "$folder/*.whl" >/dev/null || step "fetch $client" fetch
