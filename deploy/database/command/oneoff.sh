# shellcheck shell=sh
# One command in a one-off container of a release's own image, and never twice for one token. Set above
# this text, beside what lib.sh needs:
#   release      whose files Compose reads       box        the container's name
#   limit        seconds for the command         pgoptions  what the libraries of PostgreSQL read:
#   application  the session's name              options of the session

# once SERVICE COMMAND: run it, as the service; then its exit code, and its last lines.
once() {
	# What the command prints is kept there until the next day, and may hold what nobody else is to read.
	chmod 600 "$log"
	trap 'remove "$box"; say failed reason "told to end by the host (SIGTERM): it shuts down, or somebody has ended this"; exit 124' TERM
	found=$(docker inspect -f '{{.State.Status}} {{index .Config.Labels "headway.run"}}' "$box" 2>/dev/null)
	case $found in
	'' | created*) start_box "$@" || return 1 ;;
	*" $token")
		# This very run, whose script was killed: what it has begun is not begun again.
		say said text "the command had been started already"
		;;
	*)
		say said text "an earlier command is still there, and is waited for"
		await
		end_box
		start_box "$@" || return 1
		;;
	esac
	if await; then
		say ended code "$code" said "$(last_words)"
	else
		docker stop -t 5 "$box" >/dev/null 2>&1
		say ended code "" said "$(last_words)"
	fi
	remove "$box"
}

start_box() {
	remove "$box"
	if [ ! -f "$state/releases/$release/compose.yaml" ]; then
		say failed reason "the release $release is not on this host"
		return 1
	fi
	# Without --rm: how it ended is still there if the connection, the script or the engine goes away.
	# Its standard input is at its end, and it has no terminal: what asks a question fails.
	detail=$(compose_of "$release" run -d -T --interactive=false --no-deps --quiet-pull --name "$box" \
		-l "headway.run=$token" -e "PGAPPNAME=$application" -e "PGOPTIONS=$pgoptions" \
		--entrypoint sh "$1" -c "$2" </dev/null 2>&1) && return 0
	remove "$box"
	say failed reason "the command could not be started" detail "$(printf '%s' "$detail" | tail -n 15)"
	return 1
}

# await: until it has ended, with its exit code in $code, or `gone`; false when its time is over.
await() {
	over=$(($(now) + limit * 100))
	while [ "$(now)" -lt $over ]; do
		left=$(((over - $(now)) / 100 + 1))
		code=$(timeout $left docker wait "$box" 2>/dev/null) && [ -n "$code" ] && return 0
		if names=$(docker ps -a --format '{{.Names}}') && ! printf '%s\n' "$names" | grep -qx "$box"; then
			code=gone
			return 0
		fi
		# The engine itself may have gone away for a moment.
		sleep 1
	done
	return 1
}

end_box() {
	docker stop -t 5 "$box" >/dev/null 2>&1
	remove "$box"
}

# last_words: what it printed last, without what moves a terminal's cursor. Who masks what is secret in
# it cuts the lines shorter: a secret that is cut in two would not be found.
last_words() {
	esc=$(printf '\033')
	docker logs --tail 200 "$box" 2>&1 | tr '\r' '\n' | sed "s/$esc\[[0-9;?]*[A-Za-z]//g" |
		grep -v '^[[:space:]]*$' | tail -n 40 | cut -c 1-4000
}
