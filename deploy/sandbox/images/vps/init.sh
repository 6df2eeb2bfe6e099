#!/bin/sh
# The VPS's init, under tini: the Docker Engine, the way to the registry, and sshd, each started
# again when it dies. /run is a tmpfs, so no pid file or socket of an earlier life is left there.
set -u

registry=${REGISTRY:?the address of the registry, host:port}

# The host's own processes have a control group beside that of its containers, as under systemd:
# otherwise each thread of a script weighs as much as all containers together, and a site starves
# while it is deployed. In version 2 it has to be so: an engine may share out controllers only below
# a group that holds no processes.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/init
    while read -r pid; do
        echo "$pid" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || :
    done </sys/fs/cgroup/cgroup.procs
    tr ' ' '\n' </sys/fs/cgroup/cgroup.controllers | while read -r controller; do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || :
    done
elif mkdir -p /sys/fs/cgroup/cpu/init 2>/dev/null; then
    echo $$ >/sys/fs/cgroup/cpu/init/cgroup.procs || :
fi

# Old kernels have no nf_tables; the engine then needs the older iptables.
if ! iptables -t nat -nL >/dev/null 2>&1; then
    update-alternatives --set iptables /usr/sbin/iptables-legacy >/dev/null
    update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy >/dev/null
fi

install -d -m 0755 /run/sshd

# keep COMMAND...: run it for ever.
keep() {
    while :; do
        "$@"
        echo "init: $1 ended with $?, starting it again" >&2
        sleep 1
    done
}

# A killed engine leaves a pid file, and refuses to start while that number is any process's.
engine() {
    rm -f /run/docker.pid
    dockerd
}

keep engine >>/var/log/dockerd.log 2>&1 &
keep socat "TCP-LISTEN:${registry##*:},bind=127.0.0.1,fork,reuseaddr" "TCP:$registry" &
keep /usr/sbin/sshd -D -e &

# tini hands SIGTERM to the whole group: the loops end by it, sshd and socat too, and the engine
# stops its containers. Stay until it has, or the kernel kills what it is still writing.
trap : TERM INT
wait
while pidof dockerd >/dev/null; do sleep 0.1; done
