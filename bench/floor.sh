#!/bin/sh
# The floor: one version of the shop rolled over the sandbox's hosts, by hand and over OpenSSH. It
# does what Headway does, in the same order and with the same knobs, as somebody with practice would
# write it down for this one application and these five hosts. It knows all names, ports and paths,
# asks nothing that it knows, has one connection for each host and few calls on each.
#
#   bench/floor.sh TAG FOLDER
#
# FOLDER/HOST holds the release's files for that host. Knobs, in whole seconds, from the environment:
# MIN_HEALTHY, BAKE, DEADLINE, DRAIN; KEEP is how many releases stay on a host.
set -eu

tag=$1 files=$2
here=$(cd -- "$(dirname -- "$0")" && pwd)
sandbox=$here/../.sandbox
web="web-1 web-2 web-3"
all="$web worker-1 db-1"

control=$(mktemp -d)
leave() {
    for host in $all; do
        ssh -F none -o "ControlPath=$control/%p" -p "$(port "$host")" -O exit 127.0.0.1 2>/dev/null &
    done
    wait
    rm -rf "$control"
}
trap leave EXIT

port() {
    case $1 in
    web-*) echo "2200${1#web-}" ;;
    worker-1) echo 22101 ;;
    db-1) echo 22201 ;;
    esac
}

# on HOST COMMAND: one exec, with what floor-host.sh defines.
on() {
    ssh -F none -i "$sandbox/id_ed25519" -p "$(port "$1")" -o IdentitiesOnly=yes -o BatchMode=yes \
        -o "UserKnownHostsFile=$sandbox/known_hosts" -o GlobalKnownHostsFile=/dev/null \
        -o StrictHostKeyChecking=yes -o LogLevel=ERROR \
        -o ControlMaster=auto -o "ControlPath=$control/%p" -o ControlPersist=60 \
        deploy@127.0.0.1 "$settings
$functions
$2"
}

# on_all FUNCTION: on all hosts at once.
on_all() {
    running=
    for host in $all; do
        "$1" "$host" &
        running="$running $!"
    done
    for pid in $running; do
        wait "$pid"
    done
}

prepare() {
    case $1 in
    web-*) call="prepare pull proxy" ;;
    worker-*) call="prepare pull ''" ;;
    db-*) call="prepare '' database" ;;
    esac
    {
        echo "$password"
        tar -C "$files/$1" -cf - .
    } | on "$1" "$call"
}

verify() {
    case $1 in
    web-*) call="verify web" ;;
    worker-*) call="verify worker" ;;
    db-*) call="verify database" ;;
    esac
    on "$1" "$call" </dev/null
}

password=$(sed -n 's/^REGISTRY_PASSWORD=//p' "$sandbox/env")
digest=$(printf 'user = "sandbox:%s"\n' "$password" | curl -fsSI --noproxy '*' -K - \
    -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
    -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
    -H 'Accept: application/vnd.oci.image.index.v1+json' \
    "http://localhost:5050/v2/shop/manifests/$tag" |
    tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p')
image=localhost:5050/shop@$digest
grep -qxF "# image $image" "$files/web-1/.env" || {
    echo "the files in $files are not for $image" >&2
    exit 1
}
release=$(sed -n 's/^HEADWAY_RELEASE=//p' "$files/web-1/.env")

settings="tag='$tag' image='$image' release='$release' deploy='floor-$(date -u +%Y%m%d-%H%M%S)'
min_healthy='$MIN_HEALTHY' bake='$BAKE' deadline='$DEADLINE' drain='$DRAIN' keep='$KEEP'"
functions=$(cat "$here/floor-host.sh")

echo "preparing $tag"
on_all prepare

on web-1 migrations_wanted </dev/null >"$control/wanted" &
wanted=$!
on db-1 migrations_applied </dev/null >"$control/applied"
wait "$wanted"
if [ ! -s "$control/wanted" ] || grep -vxFf "$control/applied" "$control/wanted" >&2; then
    echo "the database has not all migrations of $tag" >&2
    exit 1
fi

on db-1 promote </dev/null
for host in $web; do
    echo "rolling $host"
    on "$host" roll_web </dev/null
done
echo "rolling worker-1"
on worker-1 roll_worker </dev/null

echo "verifying"
on_all verify
