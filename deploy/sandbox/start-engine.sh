#!/bin/sh
# Starts dockerd where there is no systemd: detached, in a session of its own, its log in $1. $2 is the
# folder of its pid file, which is /var/run. To be run as root. (Debian's init script is no way: it
# raises limits that some machines do not let go up.)
set -eu
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
run=${2:-/var/run}

# What a killed daemon left: a pid file whose process is gone, or whose number is another's by now,
# keeps dockerd from starting.
for daemon in "dockerd:$run/docker.pid" "containerd:$run/docker/containerd/containerd.pid"; do
    file=${daemon#*:}
    [ -f "$file" ] || continue
    pid=$(cat "$file")
    name=$(cat "/proc/$pid/comm" 2>/dev/null) || name=
    # Killed, but its parent has not asked yet: still listed, but without a command line.
    tr -d '\0' <"/proc/$pid/cmdline" 2>/dev/null | grep -q . || name=
    [ "$name" = "${daemon%%:*}" ] || rm -f "$file"
done

# It is there, and perhaps still on its way up.
if [ -f "$run/docker.pid" ]; then exit 0; fi

# Traffic to a published port goes by iptables, and not through a proxy process for each port: such a
# process stops for good when it runs out of file descriptors, and some machines don't give it many.
setsid dockerd --userland-proxy=false </dev/null >>"$1" 2>&1 &
