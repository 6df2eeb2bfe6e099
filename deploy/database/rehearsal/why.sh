# shellcheck shell=sh
# Why a throw-away server has come to an end. Set above this text: box, its container's name.

# why_over: what its guard has written down; nothing for a server that answers. It fails where there is
# no container any more.
why_over() {
	# The guard ends whatever runs in the container, this question too if it comes at that moment.
	_ask_why || _ask_why
}

_ask_why() {
	# The guard notices within a second that the server has ended by itself.
	docker exec "$box" sh -c '
		for folder in /usr/lib/postgresql/*/bin; do PATH=$PATH:$folder; done
		for try in 1 2 3 4 5 6 7 8 9 10; do
			[ ! -s /tmp/headway/why ] || exec cat /tmp/headway/why
			! timeout 5 psql -XqAtc "" -d template1 >/dev/null 2>&1 || exit 0
			sleep 0.3
		done' 2>/dev/null
}
