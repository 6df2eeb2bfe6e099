# shellcheck shell=sh
# staged or switched → settled as before: the flag names the old slot again, and what was started is
# gone. With nothing unfinished on the host it does nothing.

abandon() {
	if [ ! -f "$state/next" ]; then
		say abandoned
		return 0
	fi
	if [ "$(next_of phase)" = settling ]; then
		say failed reason "the old containers are going already: the way on is to settle"
		return 1
	fi
	if ! undo_next; then
		journal failed "$reason"
		say failed reason "$reason" detail "$detail"
		return 1
	fi
	journal "${1:-reverted}" "${2-}"
	rm -f "$state/next"
	say abandoned
}

# switch_back: only the flags, at once; the containers stay for `abandon`.
switch_back() {
	[ "$(next_of phase)" = switched ] || return 0
	each_service flip_service_back && phase staged
}

# undo_next: all but the file `next` itself, which goes when this has been written down.
undo_next() {
	was=$(next_of phase)
	back=$(back_to)
	each_service undo_service && have_others
}

undo_service() {
	case $2 in
	one-shot) return 0 ;; # what it has done is done; the next roll runs its own
	stop-first)
		[ "$was" = staging ] || put_back "$1"
		return
		;;
	esac
	old=$(other "$3")
	have_in_slot "$back" "$1" "$old" "$6" || return 1
	flip "$1" "$old"
	end=$(($(now) + $5 * 100))
	if [ "$4" != - ] && [ "$was" != staging ] && [ -n "$(in_slot "$1" "$3")" ]; then
		asked=0
		until [ "$(proxy_inflight "$1" "$3" "$4")" = 0 ] || [ "$(now)" -ge "$end" ]; do
			asked=$((asked + 1))
			pause $asked
		done
	fi
	# shellcheck disable=SC2046 # one word for each id
	remove $(containers "$1" | awk -v old="$old" '$2 != old { print $1 }')
}

# have_in_slot RELEASE SERVICE SLOT REPLICAS: the slot has containers that run. Where it has none,
# somebody has worked by hand in the middle of the roll: those that were stopped are started, what
# runs the release without the slot's alias is taken, and else it is started anew. Without a RELEASE
# nothing ever ran in the slot.
have_in_slot() {
	if [ -z "$1" ] || [ -n "$(running_in "$2" "$3")" ]; then
		return 0
	fi
	ids=$(in_slot "$2" "$3")
	if [ -n "$ids" ]; then
		# shellcheck disable=SC2086 # one word for each id
		if ! give_back $ids || ! detail=$(docker start $ids 2>&1); then
			reason="$2 could not be started again"
			return 1
		fi
	else
		hash=$(hash_of "$1" "$2")
		ids=$(containers "$2" | awk -v hash="$hash" '$2 == "none" && $3 == "running" && $8 == hash { print $1 }')
		[ -n "$ids" ] || start_anew "$@" || return 1
	fi
	# shellcheck disable=SC2086
	wait_ready known "$2" $ids || return 1
	# shellcheck disable=SC2086
	[ "$(in_slot "$2" "$3")" = "$ids" ] || put_in_slot "$2" "$3" $ids
}

# start_anew RELEASE SERVICE SLOT REPLICAS: sets `ids`.
start_anew() {
	before=$(containers "$2" | awk '{ print $1 }')
	count=$(printf '%s' "$before" | grep -c .)
	if [ "$1" = - ]; then
		# Somebody's own file may fix the container's name and its ports: no two of them at once.
		# shellcheck disable=SC2086 # one word for each id
		remove $before
		# shellcheck disable=SC2046
		[ "$proxy_service" != headway-proxy ] || remove $(containers "$proxy_service" | awk '{ print $1 }')
		before=
		set -- "$1" "$2" "$3" - up -d "$2"
	else
		set -- "$1" "$2" "$3" - up -d --no-recreate --no-build --pull never \
			--scale "$2=$((count + $4))" "$2"
	fi
	release_meant=$1 name=$2
	shift 4
	if ! detail=$(compose_of "$release_meant" "$@" 2>&1); then
		reason="$name could not be started again on $release_meant"
		return 1
	fi
	ids=$(containers "$name" | awk '{ print $1 }' | without "$before")
}

# give_back ID...: those that publish their ports themselves get them back from Headway's own proxy.
give_back() {
	[ "$proxy_service" = headway-proxy ] && [ -n "$(publishing "$@")" ] || return 0
	# shellcheck disable=SC2046 # one word for each id
	remove $(containers "$proxy_service" | awk '{ print $1 }')
}

# put_back SERVICE: what may not overlap runs as before.
put_back() {
	new=$(hash_of "$(next_of release)" "$1")
	if [ -z "$back" ]; then
		stop_containers "$1" "$(containers "$1" | awk '{ print $1 }')"
		return 0
	fi
	[ "$new" = "$(hash_of "$back" "$1")" ] ||
		stop_containers "$1" "$(containers "$1" | awk -v new="$new" '$8 == new { print $1 }')"
	detail=$(compose_of "$back" up -d --no-recreate "$1" 2>&1) || {
		reason="$1 could not be started again on $back"
		return 1
	}
}

# have_others: somebody may have taken everything down, the proxy and the database with it.
have_others() {
	case $back in '' | -) return 0 ;; esac
	missing=
	for name in $(of_release other "$back"); do
		there=$(containers "$name")
		printf '%s\n' "$there" | grep -q ' running ' ||
			{ [ -n "$there" ] && ended_well "${there%% *}"; } || missing="$missing $name"
	done
	[ -n "$missing" ] || return 0
	# shellcheck disable=SC2086 # one word for each service
	detail=$(compose_of "$back" up -d --no-recreate --no-build --pull never $missing 2>&1) || {
		reason="docker compose could not start$missing"
		return 1
	}
}
