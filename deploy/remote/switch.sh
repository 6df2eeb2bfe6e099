# shellcheck shell=sh
# staged → switched: the flag names the new slot, the proxy's answers are probed, and the new
# containers are watched through the bake. What may not overlap is replaced here.

switch() {
	if [ "$(next_of release)" != "$release" ] || [ "$(next_of phase)" != staged ]; then
		reason="$release is not staged on this host" detail=
		say failed reason "$reason"
		return 1
	fi
	# Before the flag: whoever finds `switched` looks at the flag to see how far it went.
	phase switched
	if each_service flip_service && say said text switched && each_service replace_service &&
		each_service check_service && watch_bake; then
		say switched
		return 0
	fi
	failed=$reason
	said=$(printf '%s\n%s' "$detail" "$([ -n "${failing-}" ] && tail_of "$failing")")
	began=$(now)
	each_service flip_service_back
	say failed reason "$failed" detail "$said" back "$(($(now) - began))"
	return 1
}

flip_service() {
	[ "$2" = start-first ] || return 0
	flip "$1" "$3"
}

flip_service_back() {
	[ "$2" = start-first ] || return 0
	flip "$1" "$(other "$3")"
}

# The old containers go before the new ones come: two of these must never run at once.
replace_service() {
	[ "$2" = stop-first ] || return 0
	name=$1 port=$4 replicas=$6 probes=$7
	hash=$(hash_of "$release" "$name")
	if containers "$name" | awk -v hash="$hash" -v wanted="$replicas" '
		$3 == "running" && $4 != "unhealthy" && $8 == hash { right++ }
		{ all++ }
		END { exit !(right == wanted && all == wanted) }'; then
		say said text "$name is the same already"
		return 0
	fi
	say said text "replacing $name"
	stop_containers "$name" "$(containers "$name" | awk '{ print $1 }')"
	if ! output=$(up "$name" "$replicas"); then
		reason="docker compose could not start $name" detail=$output
		return 1
	fi
	# shellcheck disable=SC2046 # one word for each id
	set -- $(containers "$name" | awk '{ print $1 }')
	right_image "$name" "$@" && gate "$name" "$port" "$probes" "$@"
}

check_service() {
	failing=
	[ "$2" = start-first ] && [ "$4" != - ] || return 0
	probe_proxied "$4" "$7"
}

# watch_bake: once a second, all new containers and every probe, until the bake is over.
watch_bake() {
	grep -q '^service ' "$state/next" || return 0
	watched=
	each_service remember_service
	over=$(($(now) + bake))
	while [ "$(now)" -lt "$over" ]; do
		sleep 1
		each_service watch_service || return 1
	done
}

new_ids() {
	if [ "$2" = start-first ]; then in_slot "$1" "$3"; else containers "$1" | awk '{ print $1 }'; fi
}

remember_service() {
	for id in $(new_ids "$@"); do
		watched="$watched $id=$(docker inspect -f '{{.State.StartedAt}}' "$id")"
	done
}

watch_service() {
	for id in $(new_ids "$@"); do
		then=${watched##* "$id"=}
		still_well "$1" "${then%% *}" "$id" || return 1
	done
	check_service "$@"
}

# stop_containers SERVICE IDS: asked to end, all at once, with the time that the compose file gives
# them; then removed.
stop_containers() {
	[ -n "$2" ] || return 0
	# shellcheck disable=SC2086 # one word for each id
	docker stop $2 >/dev/null 2>&1
	# shellcheck disable=SC2086
	if docker inspect -f '{{.State.ExitCode}}' $2 2>/dev/null | grep -q '^137$'; then
		say warned text "$1 did not end by itself when it was asked to (SIGTERM) and was killed"
	fi
	# shellcheck disable=SC2086
	remove $2
}
