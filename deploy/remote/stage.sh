# shellcheck shell=sh
# settled → staged: the new containers run beside the old ones, well and probed, and have the idle
# slot's alias. Nothing is sent to them yet.

stage() {
	if ! finish_what_died || ! each_rolled reconcile; then
		say failed reason "$reason" detail "$detail"
		return 1
	fi
	if ! write_next || ! mv -f "$state/next.new" "$state/next"; then
		rm -f "$state/next.new"
		say failed reason "cannot write to $state: is its disk full?"
		return 1
	fi
	know "$release"
	if ! each_service stage_service; then
		# The old version has served all the while, so the way back is to take away what came.
		failed=$reason
		said=$detail answer=$got
		journal failed "$failed"
		undone=no
		if undo_next; then
			undone=yes
			rm -f "$state/next"
		else
			said=$(printf '%s\n%s\n%s' "$said" "$reason" "$detail")
		fi
		say failed reason "$failed" detail "$said" answer "$answer" undone $undone
		return 1
	fi
	phase staged
	say staged
}

# write_next: what this roll wants, into next.new.
write_next() {
	{
		echo "release $release"
		echo "deploy $deploy"
		echo "verb $verb"
		echo "phase staging"
		[ -n "$(current)" ] || [ -z "$(each_rolled containers)" ] || echo "adopted -"
		of_release service | while read -r fields; do
			# shellcheck disable=SC2086 # the fields are words
			next_line $fields
		done
	} >"$state/next.new"
}

next_line() {
	slot=-
	[ "$2" = start-first ] && slot=$(other "$(live_slot "$1")")
	echo "service $1 $2 $slot $3 $4 $5 $6"
}

# each_rolled FUNCTION: call it with the name of every service that the release replaces.
each_rolled() {
	while read -r word name order _ <&3; do
		case $word/$order in service/st*-first)
			"$1" "$name" "$order" || return 1
			;;
		esac
	done 3<"$state/releases/$release/roll"
}

# finish_what_died: an earlier roll that was cut off is brought to its end first: forward when it was
# settling already, else back.
finish_what_died() {
	if [ -f "$state/next" ]; then
		dead=$(next_of release)
		if [ "$(next_of phase)" = settling ]; then
			say said text "an earlier roll to $dead was cut off while it settled: finishing it"
			settle_next "$dead" || return 1
		else
			say said text "an earlier roll to $dead was cut off: taking it back"
			undo_next || return 1
			# A roll of this very deploy that is sent again has not been reverted.
			[ "$(next_of deploy)" = "$deploy" ] || journal_next reverted "it was cut off"
			rm -f "$state/next"
		fi
	fi
}

stage_service() {
	name=$1 order=$2 slot=$3 port=$4 replicas=$6 probes=$7
	if [ "$order" = one-shot ]; then
		run_once "$name"
		return
	fi
	[ "$order" = start-first ] || return 0
	there=$(containers "$name")
	if unchanged; then
		say said text "$name is the same already"
		# Nothing to switch to: the line says so to the arrows that come after.
		sed "s/^service $name .*/unchanged $name/" "$state/next" >"$state/next.new" &&
			mv -f "$state/next.new" "$state/next"
		return 0
	fi
	before=$(printf '%s\n' "$there" | awk '{ print $1 }')
	count=$(printf '%s' "$before" | grep -c .)
	say said text "starting $name"
	if ! output=$(up "$name" $((count + replicas))); then
		reason="docker compose could not start $name"
		detail=$output
		return 1
	fi
	new=$(containers "$name" | awk '{ print $1 }' | without "$before")
	# shellcheck disable=SC2086 # one word for each id
	set -- $new
	if [ $# -ne "$replicas" ]; then
		reason="docker compose started $# containers of $name and not $replicas" detail=$output
		return 1
	fi
	right_image "$name" "$@" || return 1
	if ! gate "$name" "$port" "$probes" "$@"; then
		detail=$(printf '%s\n%s' "$detail" "$(tail_of "$failing")")
		return 1
	fi
	put_in_slot "$name" "$slot" "$@" || return 1
	say said text "$name is healthy"
}

# run_once SERVICE: what others wait for until it has ended well runs with the new release first.
run_once() {
	if [ "$(containers "$1" | awk '{ print $3, $8 }')" = "exited $(hash_of "$release" "$1")" ] &&
		[ "$(docker inspect -f '{{.State.ExitCode}}' "$(containers "$1" | awk '{ print $1 }')")" = 0 ]; then
		say said text "$1 has run already"
		return 0
	fi
	say said text "running $1"
	# shellcheck disable=SC2046 # one word for each id
	remove $(containers "$1" | awk '{ print $1 }')
	if ! output=$(up "$1" 1); then
		reason="docker compose could not start $1" detail=$output
		return 1
	fi
	id=$(containers "$1" | awk '{ print $1; exit }')
	code=$(timeout "$((healthy_deadline / 100))" docker wait "$id")
	[ "$code" = 0 ] && return 0
	reason="$1 did not end well (exit ${code:-: not within its time})" detail=$(tail_of "$id")
	return 1
}

# up SERVICE COUNT: COUNT containers in all, those that are there left alone. Before Compose 2.29.3
# `--no-deps` hashes the service without its dependencies, and the next plain `up -d` would then
# recreate it (docker/compose#12069); there $no_deps is empty, and --no-recreate leaves them alone.
up() {
	# shellcheck disable=SC2086 # $no_deps is one word or none
	compose_of "$release" up -d --no-recreate --no-build --pull never --quiet-pull $no_deps \
		--scale "$1=$2" "$1" 2>&1
}

without() {
	while read -r id; do
		case "$1" in *"$id"*) ;; *) echo "$id" ;; esac
	done
}

# unchanged: do as many live containers as are wanted already run exactly this?
unchanged() {
	printf '%s\n' "$there" | awk -v live="$(live_slot "$name")" \
		-v hash="$(hash_of "$release" "$name")" -v wanted="$replicas" '
		$2 == live && $3 == "running" && $4 != "unhealthy" && $8 == hash { right++ }
		NF { all++ }
		END { exit !(right == wanted && all == wanted) }'
}

# right_image SERVICE ID...: a name may have been given to another image between the pull and the start.
right_image() {
	name=$1
	shift
	for id in "$@"; do
		# shellcheck disable=SC2046 # two words
		set -- $(docker inspect -f '{{.Config.Image}} {{.Image}}' "$id")
		if [ "$(docker image inspect -f '{{.Id}}' "$1" 2>/dev/null)" != "$2" ]; then
			reason="$name was started from another image than $1" detail=
			return 1
		fi
	done
}

# reconcile SERVICE ORDER: what runs is in the live slot, and nothing else is there. Known by its alias,
# never by its number or its name. What has none was made by hand, or ran before Headway came: it may
# be what serves, so that it is taken as live too, and goes when the roll settles.
reconcile() {
	[ "$2" = start-first ] || return 0
	live=$(live_slot "$1") there=$(containers "$1")
	if [ -z "$(printf '%s\n' "$there" | runs_in "$live")" ] &&
		[ -n "$(printf '%s\n' "$there" | runs_in "$(other "$live")")" ]; then
		live=$(other "$live")
		flip "$1" "$live"
	fi
	joining=$(printf '%s\n' "$there" | runs_in none)
	[ -z "$(printf '%s\n' "$there" | runs_in "$live")" ] || joining=$(printf '%s\n' "$there" |
		awk '$2 == "none" && $3 == "running" && $4 ~ /^(healthy|unchecked)$/ { print $1 }')
	# shellcheck disable=SC2086 # one word for each id
	put_in_slot "$1" "$live" $joining || return 1
	# shellcheck disable=SC2046
	remove $(printf '%s\n' "$there" | awk -v live="$live" -v joined="$(printf '%s' "$joining" | tr '\n' ' ')" '
		($2 != live && !index(joined, $1)) || $3 == "created" || $3 == "dead" { print $1 }')
}
