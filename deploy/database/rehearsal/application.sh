# shellcheck shell=sh
# The running version on a throw-away server: described, try_version. Set above this text, beside what
# lib.sh, compose.sh, prepare.sh and health.sh need:
#   release   whose files Compose reads         image      what its service runs, by digest
#   box       the throw-away server's           app        the container's name
#   port      where it answers HTTP             memory_kb  what it may use
#   limit     seconds, after which whoever finds it still there removes it

# described SERVICE: what Compose makes of it, as JSON. The image is pulled first, if it is not here;
# standard input: a line with the registry's password.
described() {
	IFS= read -r password || :
	if [ ! -f "$state/releases/$release/compose.yaml" ]; then
		echo "the release $release is not on this host" >&2
		return 1
	fi
	if ! pull "$password" "$image" >/dev/null; then
		printf '%s\n%s\n' "$reason" "$detail" >&2
		return 1
	fi
	# A service of a role that this host does not have is behind a profile.
	compose_of "$release" --profile '*' config --format json "$1"
}

# try_version SERVICE: start it, wait until it is ready, ask it, and remove it. Standard input, a line
# of base64 each: the compose file, and every request. Nothing of it is kept on record: an answer to a
# login is one that the site would believe.
try_version() {
	umask 077
	work=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
	trap 'remove "$app"; rm -rf "$work"' EXIT
	trap 'exit 124' TERM
	IFS= read -r compose || :
	printf '%s' "$compose" | base64 -d >"$work/compose.json"
	cat >"$work/requests"
	lingered=
	! lingers || lingered=1
	attempt "$1"
	if [ -n "$unready" ] && [ -n "$lingered" ]; then
		# A server that does not ask to share its port can't have it for a minute after the one before.
		remove "$app"
		last_try=$(($(now) + 6500))
		while lingers && [ "$(now)" -lt "$last_try" ]; do sleep 1; done
		attempt "$1"
	fi
	cat "$work/answers"
	[ -z "$unready" ] || say unready reason "$unready"
	say ended said "$(tail_of "$app")"
}

# attempt SERVICE: once; `unready` is why it is not well, and its answers are in a file.
attempt() {
	unready=
	: >"$work/answers"
	if ! start_version "$1"; then
		say untried reason "$reason" detail "$(printf '%s' "$detail" | tail -n 5)"
		exit 0
	fi
	if ! wait_ready new "$1" "$app"; then
		unready=$reason
		return
	fi
	while IFS= read -r request <&3; do
		ask "$1" "$request"
		printf '{"event":"answered","took":"%s","reply":"%s"}\n' "$took" \
			"$(base64 <"$work/reply" | tr -d '\n')" >>"$work/answers"
	done 3<"$work/requests"
	! unwell "$1" "$app" || unready=$reason
}

# lingers: has the port a connection still, be it one that has ended (TIME_WAIT)?
lingers() {
	docker exec "$box" sh -c 'cat /proc/net/tcp /proc/net/tcp6 2>/dev/null' </dev/null |
		awk -v port=":$(printf '%04X' "$port")\$" '$2 ~ port { found = 1 } END { exit !found }'
}

start_version() {
	if ! detail=$(docker exec "$box" bash -c : 2>&1); then
		reason="the database's image has no bash, through which it would be asked"
		return 1
	fi
	free=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
	if [ "${free:-$memory_kb}" -lt "$memory_kb" ]; then
		reason="it may use $((memory_kb / 1000)) MB of memory, and the host has $((free / 1000)) MB"
		return 1
	fi
	reason="it could not be started"
	# Its label is a throw-away server's: what was left by somebody who died goes with theirs.
	detail=$(compose --project-directory "$dir" -p "$app" \
		--env-file "$state/releases/$release/.env" -f "$work/compose.json" \
		run -d -T --interactive=false --no-deps --name "$app" \
		-l "headway.rehearsal=$(($(date +%s) + limit))" "$1" </dev/null 2>&1)
}

# ask SERVICE REQUEST: the answer, in a file, and in `took` its hundredths of a second. It is asked twice
# a second while there is none below 500: it may be about to listen. The throw-away server has its
# network and lets us in; what is in the version's own image, nobody knows.
ask() {
	last_try=$(($(now) + probe_deadline))
	while :; do
		began=$(now)
		# shellcheck disable=SC2016 # the variables are the container's
		printf '%s' "$2" | base64 -d | docker exec -i "$box" timeout -k 1 "$((probe_timeout / 100 + 1))" \
			bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && cat >&3 && exec head -c 1000000 <&3' \
			"$port" >"$work/reply" 2>/dev/null
		took=$(($(now) - began))
		case $(head -c 12 "$work/reply" | tr -d '\000') in "HTTP/1."?" "[1-4]??) return ;; esac
		# What has died will not answer, however long it is asked.
		unwell "$1" "$app" && return
		[ "$(now)" -lt "$last_try" ] || return
		sleep 0.5
	done
}
