#!/usr/bin/env bash
# Installs what a fresh Debian or Ubuntu machine lacks; silent where nothing is missing.
# Only root installs; anybody else is told what to run. `services` adds the servers that the tests speak to.
source "$(dirname "$0")/prelude.sh"

packages=()

# need PACKAGE COMMAND: the package is wanted where the command is missing.
need() { has "$2" || packages+=("$1"); }

# Not every release has each package; one that does not exist must not fail the others.
has_package() { [ -n "$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)/\1/p')" ]; }

collect_packages() {
    need gcc gcc
    [ -e /usr/include/stdio.h ] || packages+=(libc6-dev)
    need make make
    need git git
    need curl curl
    need ca-certificates update-ca-certificates
    need mmdebstrap mmdebstrap
    # mmdebstrap verifies Debian's packages, also on Ubuntu.
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || packages+=(debian-archive-keyring)
    { has busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1; } || packages+=(busybox-static)
    need docker.io docker
    # Rules around components that have a network; the tests make networks of their own.
    { has nft || [ -x /usr/sbin/nft ]; } || packages+=(nftables)
    { has ip || [ -x /usr/sbin/ip ]; } || packages+=(iproute2)
    # An engine elsewhere (DOCKER_HOST, a socket that answers) needs no daemon here.
    if ! scripts/engine.sh answers; then
        need docker.io dockerd
        # Without systemd nobody else mounts the control groups that the engine needs.
        [ -d /run/systemd/system ] || need cgroupfs-mount cgroupfs-mount
    fi
}

# The servers that the service is tested on. The demo needs none of them.
collect_services() {
    need rabbitmq-server rabbitmq-server
    need docker-registry docker-registry
    need openssl openssl
    # An engine of a user who is not root, under which a job runs too.
    need rootlesskit rootlesskit
    need uidmap newuidmap
    # Its programs are not on the path.
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need postgresql initdb
    need postgresql-client psql
    # A client of another language, to which our documentation of messages speaks.
    /usr/bin/python3 -c 'import pika' 2>/dev/null || packages+=(python3-pika)
    # Fetches a client of GELF, and nothing else.
    python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    # One unreachable third-party source must not stop us: the installation decides.
    apt-get update || true
    local wanted=() package
    for package in "$@"; do
        if has_package "$package"; then wanted+=("$package"); fi
        # From Debian 13 on the client is a package of its own, and only recommended.
        if [ "$package" = docker.io ] && has_package docker-cli; then wanted+=(docker-cli); fi
    done
    apt-get install -y --no-install-recommends "${wanted[@]}"
}

# The oldest compiler that Cargo.toml allows.
rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

rust_is_new_enough() {
    local found
    has cargo && has rustc || return 1
    found=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n%s\n' "$rust_wanted" "$found" | sort -V | head -n 1)" = "$rust_wanted" ]
}

# The commands are chained, because `set -e` means nothing below a condition, and `step` is one.
install_rust() {
    if has rustup; then
        rustup toolchain install stable --profile minimal --component clippy,rustfmt && rustup default stable
        return
    fi
    local installer="$cache/rustup-init"
    curl --proto '=https' --tlsv1.2 -fsS --retry 3 -o "$installer" \
        "https://static.rust-lang.org/rustup/dist/$(uname -m)-unknown-linux-gnu/rustup-init" &&
        chmod +x "$installer" &&
        "$installer" -y --no-modify-path --profile minimal --component clippy,rustfmt &&
        rm "$installer"
}

collect_packages
[ "${1:-}" != services ] || collect_services
if [ ${#packages[@]} -gt 0 ]; then
    list=$(printf '%s\n' "${packages[@]}" | sort -u | tr '\n' ' ')
    has apt-get || fail "missing: $list" "install these with your system's package manager"
    is_root || fail "missing: $list" "sudo apt-get install --no-install-recommends $list"
    # shellcheck disable=SC2086 # a list of words
    step "install $list" install_packages $list
fi
if ! rust_is_new_enough; then
    is_root || fail "Rust $rust_wanted or newer is missing" "https://rustup.rs"
    step "install Rust" install_rust
    rust_is_new_enough || fail "the installed Rust is older than $rust_wanted" "rustup update stable"
fi
