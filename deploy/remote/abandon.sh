# shellcheck shell=sh
# staged or switched → settled as before: the flag names the old slot again, and what was started is
# gone. With nothing unfinished on the host it does nothing; an earlier deploy's roll that was cut off
# is brought to its end.

abandon() {
	if [ ! -f "$state/next" ]; then
		say abandoned
		return 0
	fi
	# What an earlier deploy has left half-way: it may be settling already, and it is in the journal
	# under that deploy's name.
	if [ "$(next_of deploy)" != "$deploy" ]; then
		if ! finish_what_died; then
			say failed reason "$reason" detail "$detail"
			return 1
		fi
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
	journal reverted
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
	engine && each_service undo_service && have_others && engine && each_service is_undone
}

# is_undone: what was gone back to may have been taken away since, by whoever works by hand; and an
# engine that ended meanwhile may have kept what it was told to remove.
is_undone() {
	[ "$2" = start-first ] || return 0
	for look in 1 2 3 4 5; do
		have_in_slot "$back" "$1" "$(other "$3")" "$6" || return 1
		[ -n "$mended" ] || break
		[ "$look" = 5 ] || sleep 1
	done
	[ -n "$(left_over "$@")" ] || return 0
	undo_service "$@" || return 1
	[ -z "$(left_over "$@")" ] && return 0
	reason="new containers of $1 could not be removed"
	return 1
}

left_over() {
	containers "$1" | awk -v old="$(other "$3")" '$2 != old { print $1 }'
}

# engine: Docker answers, or does so soon. What one that starts again does not say would be taken for
# nothing there, and what is there would stay.
engine() {
	until docker version -f '{{.Server.Version}}' >/dev/null 2>&1; do
		waited=$((${waited:-0} + 1))
		[ "$waited" -le 30 ] || {
			reason="Docker does not answer on this host"
			return 1
		}
		sleep 1
	done
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
	[ "$was" = staging ] || [ -z "$(seen_in "$3")" ] || drain "$1" "$3" "$4" $(($(now) + $5 * 100))
	# shellcheck disable=SC2046 # one word for each id
	remove $(containers "$1" | awk -v old="$old" '$2 != old { print $1 }')
}

# have_in_slot RELEASE SERVICE SLOT REPLICAS: the slot has containers that run and will go on to. Where
# it has none, somebody has worked by hand in the middle of the roll: those that were stopped are
# started, what runs the release without the slot's alias is taken, and else it is started anew.
# Without a RELEASE nothing ever ran in the slot. `mended` says whether there was anything to do, and
# `there` has the lines of `containers` as they were before.
have_in_slot() {
	mended='' there=$(containers "$2")
	if [ -z "$1" ] || [ -n "$(staying_in "$3" "$there")" ]; then
		return 0
	fi
	mended=yes
	know "$1"
	# Told to end, it may be told to start again at once, as by `restart`: that is seen when it has ended.
	looks=0
	while [ -n "$(containers "$2" | runs_in "$3")" ] && [ -z "$(made_by_hand "$1" "$2")" ] && [ $looks -lt 30 ]; do
		sleep 0.5
		[ -z "$(staying_in "$3" "$(containers "$2")")" ] || return 0
		looks=$((looks + 1))
	done
	ids=$(containers "$2" | awk -v slot="$3" '$2 == slot && $3 !~ /^(running|restarting)$/ { print $1 }')
	# shellcheck disable=SC2086 # one word for each id
	if [ -n "$ids" ] && { ! give_back $ids || ! detail=$(docker start $ids 2>&1); }; then
		# Whoever has stopped them may have removed one meanwhile.
		if docker inspect -f . $ids >/dev/null 2>&1; then
			reason="$2 could not be started again"
			return 1
		fi
		ids=$(containers "$2" | runs_in "$3")
	fi
	[ -n "$ids" ] || ids=$(made_by_hand "$1" "$2")
	[ -n "$ids" ] || start_anew "$@" || return 1
	# shellcheck disable=SC2086
	wait_ready known "$2" $ids || return 1
	for id in $ids; do
		in_slot "$2" "$3" | grep -qx "$id" || put_in_slot "$2" "$3" "$id" || return 1
	done
}

# made_by_hand RELEASE SERVICE: what runs the release without any slot's alias.
made_by_hand() {
	hash=$(hash_of "$1" "$2")
	containers "$2" | awk -v hash="$hash" '$2 == "none" && $3 == "running" && $8 == hash { print $1 }'
}

# seen_in SLOT: those that `there` had in it.
seen_in() {
	printf '%s\n' "$there" | awk -v slot="$1" '$2 == slot { print $1 }'
}

# staying_in SLOT CONTAINERS: those that run there and that nobody has told to end. One that has been told
# runs and answers until it has ended, for as long as its grace goes on, and whoever did it removes it.
staying_in() {
	printf '%s\n' "$2" | awk -v slot="$1" '$2 == slot && $3 ~ /^(running|restarting)$/ { print $1, $6 }' |
		while read -r id since; do
			timeout 5 docker events --since "$since" --until 0s --filter "container=$id" \
				--filter event=kill --format '{{.Actor.Attributes.signal}}' 2>/dev/null |
				grep -qxE '2|3|9|15' || echo "$id"
		done
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
