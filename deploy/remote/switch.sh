# shellcheck shell=sh
# staged → switched: the flag names the new slot, the proxy's answers are probed, and the new
# containers are watched through the bake. What may not overlap is replaced here.

switch() {
	case $(next_of release)/$(next_of phase) in
	# Switched already: the run that did it was cut off, and is sent again.
	"$release"/staged | "$release"/switched) ;;
	*)
		say failed reason "$release is not staged on this host"
		return 1
		;;
	esac
	# Before the flag: whoever finds `switched` looks at the flag to see how far it went.
	phase switched
	watched=
	if each_service flip_service && take_over && say said text switched &&
		each_service replace_service && each_service check_service && watch_bake; then
		say switched
		return 0
	fi
	failed=$reason
	said=$(printf '%s\n%s' "$detail" "$([ -n "${failing-}" ] && tail_of "$failing")")
	began=$(now) answer=$got
	switch_back
	journal failed "$failed"
	say failed reason "$failed" detail "$said" answer "$answer" back "$(($(now) - began))"
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

# take_over: where containers published their ports themselves before Headway came, its own proxy can
# have the ports only when these have ended. It is the one gap there ever is.
take_over() {
	waiting_proxy || return 0
	say said text "taking over the published ports"
	each_service stop_publishing
	if ! detail=$(compose_of "$release" up -d --no-recreate --no-build --pull never "$proxy_service" 2>&1); then
		reason="docker compose could not start $proxy_service"
		return 1
	fi
	# shellcheck disable=SC2046 # one word for each id
	wait_ready known "$proxy_service" $(containers "$proxy_service" | awk '{ print $1 }')
}

# waiting_proxy: Headway's own proxy belongs here, and does not run yet.
waiting_proxy() {
	[ "$proxy_service" = headway-proxy ] && of_release other | grep -qx "$proxy_service" &&
		! containers "$proxy_service" | grep -q ' running '
}

stop_publishing() {
	# shellcheck disable=SC2046 # one word for each id
	set -- $(publishing $(containers "$1" | awk '{ print $1 }'))
	[ $# -eq 0 ] || docker stop "$@" >/dev/null 2>&1
	return 0
}

# The old containers go before the new ones come: two of these must never run at once.
replace_service() {
	[ "$2" = stop-first ] || return 0
	name=$1 port=$4 replicas=$6 probes=$7
	know "$release"
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

# check_service: all of the new containers run in their slot, whatever people do by hand meanwhile, and
# the proxy's answers are right. A line of `watched` for each: service id started
check_service() {
	failing=
	if [ "$2" = stop-first ]; then
		watched="$watched$(containers "$1" | awk -v name="$1" '{ print name, $1, $6 }')
"
	fi
	[ "$2" = start-first ] || return 0
	ids=$(in_slot "$1" "$3") first=
	for id in $ids; do
		: "${first:=$id}"
		unwell "$1" "$id" && failing=$id && return 1
		watched="$watched$1 $id $started_at
"
	done
	count=$(printf '%s' "$ids" | grep -c .)
	if [ "$count" -lt "$6" ]; then
		reason="$1 has $count of its $6 new containers" detail=
		return 1
	fi
	answers_through_proxy "$1" "$first" "$4" "$7"
}

# watch_bake: once a second, all new containers and every probe, until the bake is over.
watch_bake() {
	grep -q '^service ' "$state/next" || return 0
	look=$(now)
	over=$((look + bake))
	# By the clock: the looking takes time as well, and the bake is not to grow by it.
	while [ "$look" -lt "$over" ]; do
		look=$(($(now) + 100))
		[ "$look" -le "$over" ] || look=$over
		sleep_until "$look"
		each_service watch_service || return 1
	done
}

watch_service() {
	first=
	while read -r name id begun <&4; do
		[ "$name" = "$1" ] || continue
		: "${first:=$id}"
		still_well "$1" "$begun " "$id" || return 1
		if [ "$2" = start-first ] && [ "$slot_now" != "$3" ]; then
			reason="a new container of $1 is no longer in its slot" detail=
			return 1
		fi
	done 4<<-END
		$watched
	END
	[ "$2" = start-first ] || return 0
	answers_through_proxy "$1" "$first" "$4" "$7"
}

# answers_through_proxy SERVICE ID PORT PROBES: ID's last words are shown when it does not.
answers_through_proxy() {
	[ "$3" != - ] || return 0
	failing=$2
	probe_proxied "$@" || return 1
	failing=
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
