#!/bin/sh
# An annex to this machine, in which a second process of tests has a sandbox of its own: apart are its
# network, its Docker Engine, its process ids, its /run, and what it writes into the checkout; all else
# is this machine's. It needs Linux, root and an engine that runs, and is gone when its first process is.
#
#   tests/annex.sh up              with what images the machine's engine has of the sandbox
#   tests/annex.sh exec COMMAND    run COMMAND in it
#   tests/annex.sh down            nothing of it is left
#   tests/annex.sh pytest ARGS     pytest in several processes, the second in an annex if there can be one
set -eu
cd -- "$(dirname -- "$0")/.."

home=/var/lib/headway-annex
link=hw-annex
near=10.255.231.1 far=10.255.231.2

# firewall -I|-D: what comes from the annex goes out, and the answers come back.
firewall() {
	iptables -w 10 -t nat "$1" POSTROUTING -s "$far" -j MASQUERADE &&
		iptables -w 10 "$1" FORWARD -i "$link" -j ACCEPT &&
		iptables -w 10 "$1" FORWARD -o "$link" -j ACCEPT
}

# first: the process whose end is that of the annex, as this machine counts.
first() {
	outer=$(cat "$home/pid" 2>/dev/null) && cat "/proc/$outer/task/$outer/children" 2>/dev/null
}

enter() {
	# shellcheck disable=SC2046,SC2016 # the number ends with a blank; expanded in the annex
	exec nsenter --target $(first) --net --mount --pid \
		sh -c 'cd -- "$1" && shift && exec "$@"' annex "$PWD" "$@"
}

down() {
	# A number from before the machine was started may be anybody's now.
	if [ -f "$home/pid" ] && grep -qs annex.sh "/proc/$(cat "$home/pid")/cmdline"; then
		kill -KILL "$(cat "$home/pid")"
		while [ -d "/proc/$(cat "$home/pid")" ]; do sleep 0.1; done
	fi
	while firewall -D 2>/dev/null; do :; done
	ip link delete "$link" 2>/dev/null || :
	rm -rf --one-file-system "$home"
}

began() { soon "first | grep -q ."; }

connect() {
	ip link add "$link" type veth peer name eth0 netns "$(first | tr -d ' ')" &&
		ip address add "$near/30" dev "$link" && ip link set "$link" up && firewall -I
}

answers() { soon "(enter docker version) >/dev/null 2>&1"; }

# soon COMMAND: it succeeds within a minute.
soon() {
	tries=0
	until eval "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] && [ -d "/proc/$(cat "$home/pid")" ] || return 1
		sleep 0.3
	done
}

up() {
	for tool in unshare nsenter ip iptables dockerd; do
		if [ "$(id -u)" != 0 ] || ! command -v "$tool" >/dev/null; then
			echo "annex: left out, as it takes root and $tool; all tests share one sandbox" >&2
			return 1
		fi
	done
	case $PWD in *[[:space:]]*)
		# In the words by which the process is started, each blank begins another one.
		echo "annex: left out, as there is a blank in $PWD; all tests share one sandbox" >&2
		return 1
		;;
	esac
	down
	mkdir -p "$home/changes" "$home/work" "$home/docker"
	setsid unshare --net --mount --pid --fork --kill-child --mount-proc \
		sh tests/annex.sh inside </dev/null >"$home/log" 2>&1 &
	echo $! >"$home/pid"
	# Each of these fails where a machine does not let namespaces, mounts or links be made.
	if ! { began && connect && answers; }; then
		tail -n 20 "$home/log" >&2
		echo "annex: left out, as it does not come up here; all tests share one sandbox" >&2
		down
		return 1
	fi
	docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -E '^(headway-sandbox/|debian:)' |
		xargs docker image save | (enter docker image load --quiet) >/dev/null
}

# inside: what the annex's first process does. Its end ends all that runs here.
inside() {
	mount -t overlay overlay -o "lowerdir=$PWD,upperdir=$home/changes,workdir=$home/work" "$PWD"
	cd -- "$PWD"
	rm -rf .sandbox
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/lock /run/sshd
	until ip link show dev eth0 >/dev/null 2>&1; do sleep 0.1; done
	ip link set lo up
	ip address add "$far/30" dev eth0
	ip link set eth0 up
	ip route add default via "$near"
	mount --bind "$home/docker" /var/lib/docker
	sh deploy/sandbox/start-engine.sh "$home/log"
	# As the first process it is also the one that asks how all others have ended that nobody else does.
	while sleep 60; do :; done
}

processes() {
	if up; then
		trap down EXIT
		# The last two help once no fleet takes both cores any more; see tests/conftest.py.
		set -- --dist loadscope --tx popen \
			--tx "popen//python=$PWD/tests/annex.sh exec $PWD/.venv/bin/python" --tx "2*popen" "$@"
	else
		set -- --numprocesses 2 "$@"
	fi
	pytest --no-loadscope-reorder "$@"
}

case ${1-} in
up | down | inside) "$1" ;;
exec)
	shift
	enter "$@"
	;;
pytest)
	shift
	processes "$@"
	;;
*)
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
