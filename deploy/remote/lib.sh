# shellcheck shell=sh
# What every script of Headway on a host starts with: its events, its lock, its clock, and the few
# questions that all of them ask Docker. The caller has set, above this text:
#   dir project network release deploy verb by token lock_wait keep no_deps site proxy_service
#   fence (the number of the lease under which this is done; 0 or absent: under none)
#   min_healthy healthy_deadline probe_timeout probe_deadline bake        (hundredths of a second)

set -u
state=$dir/.headway
log=/dev/null
reason='' detail='' got='' failing='' extra=''

# A connection that goes away must not stop what has begun: sshd has given the script a session of
# its own already, so what could still end it is the write to a closed channel.
trap '' HUP PIPE INT
# Its deadline ends it so as well; who has sent it knows that, and which it was.
trap 'say failed reason "told to end by the host (SIGTERM): it shuts down, or somebody has ended this"; exit 124' TERM

quote() {
	# Most values are plain, and four processes for each are most of what a script costs.
	case $1 in
	*[!A-Za-z0-9\ _./:@=+,%-]*) ;;
	*)
		printf '%s' "$1"
		return
		;;
	esac
	printf '%s' "$1" | LC_ALL=C tr -d '\000-\010\013-\037\177' |
		LC_ALL=C sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' |
		LC_ALL=C awk '{ if (NR > 1) printf "\\n"; printf "%s", $0 }'
}

# say EVENT [KEY VALUE]...: one JSON line, to the caller and to this run's log.
say() {
	line="{\"event\":\"$1\""
	shift
	while [ $# -gt 1 ]; do
		line="$line,\"$1\":\"$(quote "$2")\""
		shift 2
	done
	printf '%s}\n' "$line" >>"$log"
	printf '%s}\n' "$line" 2>/dev/null || :
}

# now: hundredths of a second on a clock that nobody sets.
now() {
	read -r uptime _ </proc/uptime
	printf '%s' "${uptime%.*}${uptime#*.}"
}

# sleep_until TIME: as `now` counts; not at all when that is over.
sleep_until() {
	rest=$(($1 - $(now)))
	[ $rest -le 0 ] || sleep "$((rest / 100)).$(printf '%02d' $((rest % 100)))"
}

# begin: take the host's lock, or the one that $lock names. A run whose token has already ended answers
# with what it said then, so that asking again after a lost connection is not doing again.
begin() {
	if ! mkdir -p "$state/run" || [ ! -w "$state/run" ]; then
		say failed reason "cannot write to $dir: is it there, does it belong to $(id -un), and is its disk not read-only?"
		exit 1
	fi
	exec 9>>"$state/${lock:-roll}.lock"
	# Sent again after a lost connection, it may find its own first run still at work, and waits for
	# that as long as it may take: what ends it is the deadline that both have.
	if [ -f "$state/run/$token.log" ]; then set -- 9; else set -- -w "$lock_wait" 9; fi
	if ! flock "$@"; then
		say failed reason "another script of Headway has been working on this host for $lock_wait s"
		exit 75
	fi
	if [ -f "$state/run/$token.end" ]; then
		cat "$state/run/$token.log"
		exit "$(cat "$state/run/$token.end")"
	fi
	guard
	# For its owner alone: it will say what containers say. Not `:`, a special built-in: what it cannot
	# write to would end the shell without a word.
	if ! detail=$(umask 077; { true >"$state/run/$token.log"; } 2>&1); then
		say failed reason "cannot write to $state" detail "$detail"
		exit 1
	fi
	log=$state/run/$token.log
}

# guard: leases have numbers that only grow, and this host remembers the highest that came here. One
# that was taken over, while its owner slept, changes nothing any more.
guard() {
	[ "${fence:-0}" -gt 0 ] || return 0
	exec 8>>"$state/fence.lock"
	flock 8
	seen=$(cat "$state/fence" 2>/dev/null || echo 0)
	if [ "$fence" -lt "${seen:-0}" ]; then
		say fenced seen "$seen"
		exit 6
	fi
	if [ "$fence" -gt "${seen:-0}" ]; then
		echo "$fence" >"$state/fence.new" && sync "$state/fence.new" && mv -f "$state/fence.new" "$state/fence"
	fi
	exec 8>&-
}

# guarded: the same before what is no run of a script, such as a session of psql. It ends with its
# connection, as nobody asks for it again.
guarded() {
	if [ "${fence:-0}" -gt 0 ]; then
		mkdir -p "$state" || exit 1
		guard
	fi
	trap - HUP PIPE INT TERM
}

# bar: our number is known here by now; wait for what an older lease has at work beside the roll, a
# backup, a rehearsal or a migration by a command.
bar() {
	for held in "$state"/*.lock; do
		case $held in */roll.lock | */fence.lock) continue ;; esac
		exec 7>>"$held"
		if ! flock -w "$lock_wait" 7; then
			held=${held##*/}
			say failed reason "a ${held%.lock} of an earlier run has been at work on this host for $lock_wait s"
			return 75
		fi
		exec 7>&-
	done
}

# finish CODE: the run has ended, and says so to whoever asks again.
finish() {
	printf '%s\n' "$1" >"$state/run/$token.end"
	exit "$1"
}

# journal WHAT [REASON]: one line that stays on the host.
journal() {
	journal_of "$deploy" "$verb" "$release" "$@"
}

# note WHAT REASON: the same, with the JSON that comes on standard input.
note() {
	extra=",\"figures\":$(cat)"
	journal "$@"
}

# journal_next WHAT [REASON]: of the deploy that `next` belongs to, which may be an earlier one.
journal_next() {
	journal_of "$(next_of deploy)" "$(next_of verb)" "$(next_of release)" "$@"
}

# journal_of DEPLOY VERB RELEASE WHAT [REASON]: not twice, when a run that was killed is sent again.
journal_of() {
	tail -n 1 "$state/journal.jsonl" 2>/dev/null |
		grep -qF "\"deploy\":\"$1\",\"verb\":\"$2\",\"release\":\"$3\",\"what\":\"$4\"" && return 0
	printf '{"v":1,"at":"%s","deploy":"%s","verb":"%s","release":"%s","what":"%s","reason":"%s","by":"%s"%s}\n' \
		"$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2" "$3" "$4" "$(quote "${5-}")" \
		"$(quote "$by")" "$extra" >>"$state/journal.jsonl" &&
		sync "$state/journal.jsonl"
}

# current: the release that this host is on, by the .env that plain `docker compose` reads.
current() {
	sed -n 's/^HEADWAY_RELEASE=//p' "$dir/.env" 2>/dev/null | tr -d "\"'"
}

# back_to: the release to go back to; "-" for what ran before Headway came; nothing where nothing ran.
back_to() {
	on=$(current)
	printf '%s' "${on:-$(next_of adopted)}"
}

# of_release WORD [RELEASE]: the rest of the lines of its `roll` that begin with WORD.
of_release() {
	sed -n "s/^$1 //p" "$state/releases/${2:-$release}/roll"
}

# slot_template SERVICE: for `docker inspect -f`: the slot whose alias a container has.
# shellcheck disable=SC2016 # the dollars are the template's
slot_template() {
	printf '%s' '{{$slot := "none"}}{{with index .NetworkSettings.Networks "'"$network"'"}}'\
'{{range .Aliases}}{{if eq . "'"$1"'-green"}}{{$slot = "green"}}{{end}}'\
'{{if eq . "'"$1"'-blue"}}{{$slot = "blue"}}{{end}}{{end}}{{end}}{{$slot}}'
}

# containers SERVICE: a line for each: id slot status health restarts started image hash
containers() {
	ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$project" \
		--filter "label=com.docker.compose.service=$1" \
		--filter label=com.docker.compose.oneoff=False)
	[ -n "$ids" ] || return 0
	# shellcheck disable=SC2086 # one word for each id
	docker inspect -f '{{.ID}} '"$(slot_template "$1")"' {{.State.Status}} '\
'{{with .State.Health}}{{.Status}}{{else}}unchecked{{end}} {{.RestartCount}} {{.State.StartedAt}} '\
'{{.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}' $ids 2>/dev/null || :
}

# in_slot SERVICE SLOT: the ids of the containers in a slot; the slot "none" is no slot.
in_slot() {
	containers "$1" | awk -v slot="$2" '$2 == slot { print $1 }'
}

# proxy_container: its id, or what find_proxy has found.
proxy_container() {
	if [ -n "${proxy_found-}" ]; then
		echo "$proxy_found"
		return
	fi
	docker ps -q --filter "label=com.docker.compose.project=$project" \
		--filter "label=com.docker.compose.service=$proxy_service" | head -n 1
}

# find_proxy: once for all that is asked of it next.
find_proxy() {
	proxy_found=
	proxy_found=$(proxy_container)
}

# runs_in SLOT: of the lines of `containers` on standard input, those that run, or that Docker is about
# to start again.
runs_in() {
	awk -v slot="$1" '$2 == slot && $3 ~ /^(running|restarting)$/ { print $1 }'
}

# put_in_slot SERVICE SLOT ID...: from now on the proxy finds them under the slot's alias.
put_in_slot() {
	alias=$1-$2
	shift 2
	for id in "$@"; do
		# Away first: an endpoint's aliases cannot be changed.
		docker network disconnect "$network" "$id" 2>/dev/null
		if ! detail=$(docker network connect --alias "$alias" "$network" "$id" 2>&1); then
			reason="could not give a container the alias $alias in the network $network"
			return 1
		fi
	done
	detail=
}

other() {
	if [ "$1" = green ]; then echo blue; else echo green; fi
}

# live_slot SERVICE: the flag is the truth. There: green. Not there: blue.
live_slot() {
	if [ -e "$dir/slots/$1.green" ]; then echo green; else echo blue; fi
}

flip() {
	if [ "$2" = green ]; then : >"$dir/slots/$1.green"; else rm -f "$dir/slots/$1.green"; fi
	proxy_flip "$1" "$2"
}

# drain SERVICE SLOT PORT END: until the slot has nothing in flight, or it is END; `left` is what it has.
drain() {
	left=0 asked=0
	[ "$3" != - ] || return 0
	find_proxy
	while left=$(proxy_inflight "$1" "$2" "$3") && [ "$left" != 0 ] && [ "$(now)" -lt "$4" ]; do
		# Somebody may have made it anew.
		[ "$left" != unknown ] || find_proxy
		asked=$((asked + 1))
		# Each question costs an exec: most requests end within a second, and what takes longer takes long.
		if [ $asked -lt 5 ]; then sleep "0.$((asked * 2))"; else sleep 1; fi
	done
	proxy_found=
}

# publishing ID...: those that publish ports themselves.
publishing() {
	[ $# -eq 0 ] || docker inspect -f '{{.ID}} {{len .HostConfig.PortBindings}}' "$@" 2>/dev/null |
		awk '$2 > 0 { print $1 }'
}

remove() {
	# With -v: an anonymous volume belongs to its container alone and would stay for ever.
	[ $# -eq 0 ] || docker rm -f -v "$@" >/dev/null 2>&1 || :
}

tail_of() {
	docker logs --tail 15 "$1" 2>&1 | tail -n 15
}

# The file `next` says what an unfinished roll wants: it is written before anything is started and
# removed when the host is settled again. Lines: release ID, deploy ID, verb VERB, phase NAME, adopted -
# (where something ran that no release of Headway's had brought), and for each service:
# service NAME ORDER SLOT PORT DRAIN REPLICAS PROBE[,PROBE]...
next_of() {
	awk -v key="$1" '$1 == key { print $2; exit }' "$state/next" 2>/dev/null
}

phase() {
	{
		grep -v '^phase ' "$state/next"
		echo "phase $1"
	} >"$state/next.new" && mv -f "$state/next.new" "$state/next"
}

# each_service FUNCTION: call it with the fields of every service line of `next`, in order.
each_service() {
	while read -r word name order slot port drain replicas probes <&3; do
		if [ "$word" = service ]; then
			"$1" "$name" "$order" "$slot" "$port" "$drain" "$replicas" "$probes" || return 1
		fi
	done 3<"$state/next"
}
