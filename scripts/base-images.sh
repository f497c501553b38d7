#!/usr/bin/env bash
# Builds the base images and the images of our own components. An image that was built from the same
# files is left alone, so running this twice costs a fraction of a second.
source "$(dirname "$0")/prelude.sh"

debian=debian:bookworm-slim
hash_label=longshore.content-hash

version_of() { sed -n 's/.*org\.opencontainers\.image\.version="\([^"]*\)".*/\1/p' "$1/Dockerfile"; }

# The hash of a folder's files and of the images it starts from: what decides whether to build again.
content_hash() {
    {
        (cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum)
        printf '%s\n' "${2-}"
    } | sha256sum | cut -c1-32
}

label_of() {
    docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true
}

# build FOLDER IMAGE CONTEXT HASH
build() {
    local proxies=() name
    for name in http_proxy https_proxy no_proxy; do
        [ -z "${!name-}" ] || proxies+=(--build-arg "$name")
    done
    # The host's network, so that packages can be fetched where containers have no way out.
    docker build --network host "${proxies[@]}" --label "$hash_label=$4" \
        --tag "$2" --file "$1/Dockerfile" "$3"
}

# ensure FOLDER IMAGE BASE CONTEXT: builds IMAGE:<version> unless the same content is there already.
ensure() {
    local folder=$1 image base=$3 context=$4 hash
    image="$2:$(version_of "$folder")"
    hash=$(content_hash "$folder" "$base")
    [ "$(label_of "$image" "$hash_label")" != "$hash" ] || return 0
    step "image $image" build "$folder" "$image" "$context" "$hash"
}

# Debian's own packages make the same system that the registry would give us.
bootstrap_debian() {
    has mmdebstrap || fail "mmdebstrap is not installed" "apt-get install mmdebstrap"
    mmdebstrap --variant=minbase \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        bookworm - |
        docker import --change 'CMD ["bash"]' --change 'LABEL longshore.bootstrapped=true' - "$debian" ||
        # A bootstrap that broke off may have left half a system under the name.
        { docker image rm "$debian"; return 1; }
}

pull_debian() { timeout 120 docker pull --quiet "$debian"; }

ensure_debian() {
    ! docker image inspect "$debian" >/dev/null 2>&1 || return 0
    # A name that does not resolve or a port that refuses answers at once; a silent network is cut off.
    if timeout 10 docker manifest inspect "$debian" >/dev/null 2>&1; then
        step "pull $debian" pull_debian
    else
        step "no registry reachable: bootstrap $debian from Debian packages" bootstrap_debian
    fi
}

# A scratch image needs a busybox that brings its own libc.
shell_context() {
    local context="$cache/base-images/shell" busybox
    busybox=$(command -v busybox) || fail "busybox is not installed" "apt-get install busybox-static"
    ! ldd "$busybox" >/dev/null 2>&1 || fail "$busybox is not static" "apt-get install busybox-static"
    mkdir -p "$context"
    cp "$busybox" "$context/busybox"
    printf '%s\n' "$context"
}

build_shell() {
    local context version
    context=$(shell_context)
    version=$(version_of base-images/shell)
    ensure base-images/shell longshore/shell "$(sha256sum <"$context/busybox")" "$context"
    ensure components/shell-transformation longshore/shell-transformation \
        "$(label_of "longshore/shell:$version" "$hash_label")" components/shell-transformation
}

build_python() {
    local version hash
    version=$(version_of base-images/python)
    hash=$(content_hash base-images/python)
    # Debian is needed only to build upon, not to find that nothing is to be built.
    [ "$(label_of "longshore/python:$version" "$hash_label")" = "$hash" ] || ensure_debian
    ensure base-images/python longshore/python "" base-images/python
    ensure components/python-transformation longshore/python-transformation \
        "$(label_of "longshore/python:$version" "$hash_label")" components/python-transformation
}

# A spec that names another tag than its Dockerfile's version would run an old image without a word.
check_tags() {
    local folder id version tag
    for folder in components/*/; do
        id=$(basename "$folder")
        version=$(version_of "$folder")
        tag=$(sed -n 's/^  tag: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "component-specs/$id.yaml")
        [ "$version" = "$tag" ] || fail "component-specs/$id.yaml names tag $tag, but its Dockerfile is version $version"
    done
}

check_tags
# Two builds at once (make demo beside make test) would only race for the same tags.
exec 9>"$cache/base-images.lock"
flock 9
case "${1:-all}" in
shell) build_shell ;;
python) build_python ;;
all) build_shell; build_python ;;
*) fail "unknown image family: $1" "one of shell, python, all" ;;
esac
