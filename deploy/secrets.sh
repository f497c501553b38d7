#!/usr/bin/env bash
# Makes the passwords that compose.yaml uses, in a folder that only its owner reads. What is there is never changed:
# the servers have it in their data.
set -euo pipefail
umask 077
folder="${1:-$(dirname "$0")/secrets}"
mkdir -p "$folder"
cd "$folder"
random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

if [ -e store.env ]; then
    echo "the secrets in $folder are there already" >&2
    exit 0
fi
database=$(random 24) broker=$(random 24) key=GK6c6f6e6773686f7265000001 store=$(random 32)
printf '%s' "$database" >database_password
printf 'postgres://longshore:%s@database:5432/longshore' "$database" >catalog_url
printf 'amqp://longshore:%s@broker:5672/longshore' "$broker" >queue_url
printf 'default_user = longshore\ndefault_pass = %s\ndefault_vhost = longshore\n' "$broker" >broker.conf
printf '%s' "$store" >store_secret
{
    printf 'GARAGE_RPC_SECRET=%s\n' "$(random 32)"
    printf 'GARAGE_DEFAULT_ACCESS_KEY=%s\nGARAGE_DEFAULT_SECRET_KEY=%s\n' "$key" "$store"
    printf 'GARAGE_DEFAULT_BUCKET=longshore\n'
} >store.env
# The servers read theirs as users of their own; only the folder keeps others out.
chmod 644 database_password broker.conf
echo "made secrets in $folder" >&2
