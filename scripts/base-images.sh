#!/usr/bin/env bash
# Builds the base images and the images of our own components: all of them, or the families that are named (shell,
# python, r). An image that was built from the same files is left alone, so running this twice costs a second.
source "$(dirname "$0")/prelude.sh"

debian=debian:bookworm-slim
hash_label=longshore.content-hash
# Counted up when the bootstrap below changes: a system that an earlier one made is then made again.
bootstrap_version=3

# The value of a key at the top of a base image's image.yaml.
field_of() { sed -n "s/^$2: *\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "base-images/$1/image.yaml"; }
base_reference() { printf '%s:%s\n' "$(field_of "$1" image)" "$(field_of "$1" version)"; }
component_version() {
    sed -n 's/.*org\.opencontainers\.image\.version="\([^"]*\)".*/\1/p' "components/$1/Dockerfile"
}
component_reference() { printf 'longshore/%s:%s\n' "$1" "$(component_version "$1")"; }

# What decides whether to build again: the files that go into an image, and what else is said on stdin. Notes for
# people and the list of superseded versions are not part of the image.
content_hash() {
    {
        (cd "$1" && find . -type f ! -name README.md ! -name image.yaml | LC_ALL=C sort | xargs sha256sum)
        cat
    } | sha256sum | cut -c1-32
}

label_of() {
    docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true
}

size_of() {
    docker image inspect --format '{{.Size}}' "$1" | awk '{printf "%.1f MB", $1 / 1000000}'
}

# build DOCKERFILE IMAGE CONTEXT OPTION…
build() {
    local proxies=() name
    for name in http_proxy https_proxy no_proxy; do
        [ -z "${!name-}" ] || proxies+=(--build-arg "$name")
    done
    # The host's network, so that packages can be fetched where containers have no way out.
    docker build --network host "${proxies[@]}" "${@:4}" --tag "$2" --file "$1" "$3"
}

# ensure_base NAME CONTEXT PREREQUISITE…: the prerequisite is a command that is run only before a build.
ensure_base() {
    local name=$1 context=$2 image hash
    image=$(base_reference "$name")
    # The image that a Dockerfile starts from is named in it, and a change of that one is a new version.
    hash=$(printf '%s\n' "$image" "$(field_of "$name" note)" | content_hash "base-images/$name")
    [ "$(label_of "$image" "$hash_label")" != "$hash" ] || return 0
    "${@:3}"
    # Without the cache: a new version is there to have the packages of today.
    step "image $image" build "base-images/$name/Dockerfile" "$image" "$context" --no-cache \
        --label "$hash_label=$hash" --label "longshore.base=$image" \
        --label "longshore.base-image.note=$(field_of "$name" note)" \
        --label "org.opencontainers.image.version=$(field_of "$name" version)"
    say "  $image has $(size_of "$image")"
}

# ensure_component NAME BASE
ensure_component() {
    local name=$1 image hash
    image=$(component_reference "$name")
    hash=$(label_of "$(base_reference "$2")" "$hash_label" | content_hash "components/$name")
    [ "$(label_of "$image" "$hash_label")" != "$hash" ] || return 0
    step "image $image" build "components/$name/Dockerfile" "$image" "components/$name" --label "$hash_label=$hash"
}

# Debian's own packages make the same system that the registry would give us. The converter `usrmerge` would bring all
# of Perl (50 MB) for a system that is merged from the start; the marker package `usr-is-merged` does as well.
bootstrap_debian() {
    has mmdebstrap || fail "mmdebstrap is not installed" "apt-get install mmdebstrap"
    local pin=etc/apt/preferences.d/longshore
    mmdebstrap --variant=minbase --include=usr-is-merged --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\"" \
        --setup-hook="printf 'Package: usrmerge\nPin: release *\nPin-Priority: -1\n' >\"\$1/$pin\"" \
        --customize-hook="rm \"\$1/$pin\"" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        bookworm - |
        docker import --change 'CMD ["bash"]' --change "LABEL longshore.bootstrapped=$bootstrap_version" - "$debian" ||
        # A bootstrap that broke off may have left half a system under the name.
        { docker image rm "$debian"; return 1; }
}

pull_debian() { timeout 120 docker pull --quiet "$debian"; }

ensure_debian() {
    if docker image inspect "$debian" >/dev/null 2>&1; then
        case $(label_of "$debian" longshore.bootstrapped) in
        "" | "$bootstrap_version") return 0 ;;
        esac
    fi
    # A name that does not resolve or a port that refuses answers at once; a silent network is cut off.
    if timeout 10 docker manifest inspect "$debian" >/dev/null 2>&1; then
        step "pull $debian" pull_debian
    else
        step "no registry reachable: bootstrap $debian from Debian packages" bootstrap_debian
    fi
}

is_our_busybox() {
    [ -x "$1" ] && "$1" 2>/dev/null | head -n 1 | grep -q "^BusyBox v$2\.[0-9]* (Debian" && ! ldd "$1" >/dev/null 2>&1
}

# Takes the program out of Debian's package.
extract_busybox() {
    local folder="$cache/base-images/bookworm"
    has mmdebstrap || fail "mmdebstrap is not installed" "apt-get install mmdebstrap"
    rm -rf "$folder"
    mmdebstrap --variant=extract --include=busybox-static bookworm "$folder"
    cp "$folder/bin/busybox" "$1"
    rm -rf "$folder"
}

# The busybox of Debian 12, whatever this machine is: the machine's own where it is that one.
put_busybox() {
    local context=$1 version own
    version=$(field_of shell version)
    version=${version%-*}
    own=$(command -v busybox || true)
    mkdir -p "$context"
    cp base-images/shell/Dockerfile "$context/"
    ! is_our_busybox "$context/busybox" "$version" || return 0
    if is_our_busybox "$own" "$version"; then
        cp "$own" "$context/busybox"
    else
        step "take busybox $version from Debian 12" extract_busybox "$context/busybox"
        is_our_busybox "$context/busybox" "$version" || fail "Debian 12 has no static busybox $version any more"
    fi
}

ensure_debian_base() { ensure_base debian base-images/debian ensure_debian; }

build_shell() {
    local context="$cache/base-images/shell"
    ensure_base shell "$context" put_busybox "$context"
    ensure_component shell-transformation shell
}

build_python() {
    # Debian is needed only to build upon, not to find that nothing is to be built.
    ensure_base python base-images/python ensure_debian_base
    ensure_component python-transformation python
}

build_r() {
    ensure_base r base-images/r ensure_debian_base
    ensure_component r-transformation r
}

# A spec that names another tag than its Dockerfile's version would run an old image without a word, and a
# Dockerfile that names a base of another version would not build on a fresh machine.
check_versions() {
    local folder id version tag base
    for folder in components/*/; do
        id=$(basename "$folder")
        version=$(component_version "$id")
        tag=$(sed -n 's/^  tag: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "component-specs/$id.yaml")
        [ "$version" = "$tag" ] || fail "component-specs/$id.yaml names tag $tag, but its Dockerfile is version $version"
    done
    local known=" "
    for folder in base-images/*/; do known+="$(base_reference "$(basename "$folder")") "; done
    for folder in components/*/ base-images/*/; do
        base=$(sed -n 's/^FROM //p' "$folder/Dockerfile")
        case $base in longshore/*) ;; *) continue ;; esac
        [[ $known == *" $base "* ]] || fail "${folder}Dockerfile starts from $base, which base-images/ does not build"
    done
}

families=("$@")
[ $# -gt 0 ] || families=(shell python r)
check_versions
# Two builds at once (make demo beside make test) would only race for the same tags.
exec 9>"$cache/base-images.lock"
flock 9
for family in "${families[@]}"; do
    case $family in
    shell) build_shell ;;
    python) build_python ;;
    r) build_r ;;
    *) fail "unknown image family: $family" "one of shell, python, r; none for all" ;;
    esac
done
if [ $# -eq 0 ]; then
    ensure_debian_base
    for folder in base-images/*/; do
        image=$(base_reference "$(basename "$folder")")
        printf '%-24s %10s  %s\n' "$image" "$(size_of "$image")" "$(label_of "$image" longshore.base-image.note)"
    done
fi
