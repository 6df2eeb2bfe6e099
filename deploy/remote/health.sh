# shellcheck shell=sh
# Is a container well? Asked of Docker (state, health, restarts) and of the container itself (HTTP).

# fetch URL [CURL ARGUMENT]...: the status on the first line, then at most 2 kB of the body.
fetch() {
	url=$1
	shift
	answer=$(curl -sS --insecure --max-time "$((probe_timeout / 100))" -o - -w '\n%{http_code}' -A headway-probe "$@" "$url" 2>&1 |
		tail -c 2048)
	printf '%s\n%s' "$(printf '%s' "$answer" | tail -n 1)" "$(printf '%s' "$answer" | sed '$d')"
}

# answered REPLY: is the status of what fetch returned 2xx or 3xx?
answered() {
	case $(printf '%s' "$1" | head -n 1) in
	2?? | 3??) return 0 ;;
	*) return 1 ;;
	esac
}

# holds PROBE: is what the probe asks for in the reply? A probe is PATH or PATH|KEY|VALUE (JSON).
holds() {
	case $1 in *'|'*) ;; *) return 0 ;; esac
	key=${1#*'|'}
	value=${key#*'|'} key=${key%%'|'*}
	printf '%s' "$reply" | sed 1d | tr -d ' \t\n' | grep -qF "\"$key\":\"$value\""
}

# probe SERVICE ID WHERE PROBE URL [CURL ARGUMENT]...: asked twice a second until it succeeds, the
# container is unwell, or probe_deadline is over; sets `reason`, `detail` to what came back, and `got` to
# its status and first line.
probe() {
	service=$1 probed=$2 where=$3 asked=$4
	shift 4
	tries=0
	last_try=$(($(now) + probe_deadline))
	while :; do
		tries=$((tries + 1))
		reply=$(fetch "$@")
		if answered "$reply" && holds "$asked"; then
			return 0
		fi
		# What has died will not answer, however long it is asked.
		unwell "$service" "$probed" && return 1
		[ "$(now)" -lt $last_try ] || break
		sleep 0.5
	done
	status=$(printf '%s' "$reply" | head -n 1)
	[ "$status" = 000 ] && status=nothing
	reason="${asked%%'|'*} $where answered $status ($tries times in $((probe_deadline / 100)) s)"
	answered "$reply" && reason="${asked%%'|'*} $where does not say $key $value"
	detail=$(printf '%s' "$reply" | sed 1d)
	got="$status $(printf '%s\n' "$detail" | grep -m 1 '[^[:space:]]')"
	# Of a longer body the beginning is not here, and its first line is a piece of one.
	[ "$(printf '%s' "$detail" | wc -c)" -lt 2000 ] ||
		got="$status ... $(printf '%s\n' "$detail" | sed 1d | grep -m 1 '[^[:space:]]')"
	return 1
}

# probe_directly SERVICE ID ADDRESS PORT PROBES: each path, straight at the container.
probe_directly() {
	[ "$4" = - ] && return 0
	at=$3:$4
	for one in $(printf '%s' "$5" | tr ',' ' '); do
		[ "$one" = - ] && continue
		probe "$1" "$2" "on the new container" "$one" "http://$at${one%%'|'*}" \
			-H "Host: ${site#*://}" || return 1
	done
}

# probe_proxied SERVICE ID PORT PROBES: each path through this host's proxy, under the site's real
# name; ID is one of the containers that answer there.
probe_proxied() {
	: "${ports:=$(docker port "$(proxy_container)" 2>/dev/null)}"
	https=$(printf '%s\n' "$ports" | sed -n 's/^443\/tcp -> .*:\([0-9]*\)$/\1/p' | head -n 1)
	# Headway's own proxy listens on the service's port, a team's on the first that it publishes.
	http=$(printf '%s\n' "$ports" | sed -n "s/^$3\/tcp -> .*:\([0-9]*\)\$/\1/p" | head -n 1)
	: "${http:=$(printf '%s\n' "$ports" | sed -n 's/^[0-9]*\/tcp -> .*:\([0-9]*\)$/\1/p' | head -n 1)}"
	for one in $(printf '%s' "$4" | tr ',' ' '); do
		[ "$one" = - ] && continue
		if [ "${site%%://*}" = https ] && [ -n "$https" ]; then
			probe "$1" "$2" "through the proxy" "$one" "$site${one%%'|'*}" \
				--connect-to "::127.0.0.1:$https" || return 1
		else
			probe "$1" "$2" "through the proxy" "$one" "http://127.0.0.1:$http${one%%'|'*}" \
				-H "Host: ${site#*://}" || return 1
		fi
	done
}

# unwell SERVICE ID [RESTARTS]: sets `reason` when the container has exited, is unhealthy, or has
# restarted more than RESTARTS times (0: not at all). Sets `is_ready` (healthy, or running where there
# is no health check), `restarts`, `started_at`, `slot_now` and `address` in any case: one question to
# Docker for all of it, since a roll asks it many times on a host that has work to do.
unwell() {
	forgiven=${3:-0}
	# shellcheck disable=SC2046 # the fields are words
	set -- "$1" "$2" $(docker inspect -f '{{.State.Status}} {{.RestartCount}} {{.State.OOMKilled}} '\
'{{.State.ExitCode}} {{with .State.Health}}{{.Status}}{{else}}unchecked{{end}} {{.State.StartedAt}} '\
"$(slot_template "$1")"' {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$2" 2>/dev/null)
	is_ready=no restarts=${4-} started_at=${8-} slot_now=${9-} address=${10-}
	if [ $# -lt 9 ]; then
		reason="a new container of $1 is gone"
	elif [ "$5" = true ] || { [ "$4" -gt "$forgiven" ] && was_out_of_memory "$2"; }; then
		reason="$1 ran out of memory and was killed (OOMKilled)"
	elif [ "$3" != running ]; then
		reason="$1 ended with exit code $6 (status $3)"
	elif [ "$4" -gt "$forgiven" ]; then
		reason="$1 has restarted $4 times"
	elif [ "$7" = unhealthy ]; then
		reason="$1 is unhealthy by its own health check"
	else
		[ "$7" = starting ] || is_ready=yes
		return 1
	fi
	detail=$(own_check "$2")
	return 0
}

# was_out_of_memory ID: before it was started again, which takes that from its state. The event may come a
# little after the start.
was_out_of_memory() {
	for question in 1 2 3; do
		timeout 5 docker events --since 1h --until 0s --filter "container=$1" --filter event=oom 2>/dev/null |
			grep -q . && return 0
		[ "$question" = 3 ] || sleep 0.5
	done
	return 1
}

# own_check ID: what its health check said last.
own_check() {
	docker inspect -f '{{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}' "$1" 2>/dev/null |
		tail -n 3
}

# wait_ready new|known SERVICE ID...: until all are ready, or one is unwell, or the time is over. Of
# known ones that they have restarted before is no sign of anything: Docker counts as long as a
# container lives, and a database that was killed once last year has been well since. Sets `started` and
# `addresses`, a word for each.
wait_ready() {
	since=$1 name=$2 started='' addresses=''
	shift 2
	end=$(($(now) + healthy_deadline))
	for id in "$@"; do
		failing=$id allowed=0 looks=0
		[ "$since" = new ] || allowed=999999
		while :; do
			unwell "$name" "$id" "$allowed" && return 1
			[ $is_ready = no ] || break
			[ $looks -gt 0 ] || [ "$since" = new ] || allowed=$restarts
			if [ "$(now)" -gt "$end" ]; then
				reason="$name was not healthy within $((healthy_deadline / 100)) s"
				detail=$(own_check "$id")
				return 1
			fi
			# Each look costs a process, on a host that has a site to serve and a container to start; what is
			# not there after a few seconds will take long.
			looks=$((looks + 1))
			if [ $looks -le 16 ]; then sleep 0.25; else sleep 0.5; fi
		done
		started="$started$started_at " addresses="$addresses${address:--} "
	done
}

# gate SERVICE PORT PROBES ID...: wait until all are ready, answer their probes, and have stayed so for
# min_healthy. Fails at once when one is unwell. `up --wait` is no gate: it waits for the old ones too.
gate() {
	service=$1 port=$2 probes=$3
	shift 3
	wait_ready new "$service" "$@" || return 1
	for id in "$@"; do
		failing=$id
		probe_directly "$service" "$id" "${addresses%% *}" "$port" "$probes" || return 1
		addresses=${addresses#* }
	done
	end=$(($(now) + min_healthy))
	look=$(now)
	while [ "$look" -lt "$end" ]; do
		still_well "$service" "$started" "$@" || return 1
		look=$((look + 50))
		[ "$look" -le "$end" ] || look=$end
		sleep_until "$look"
	done
	still_well "$service" "$started" "$@"
}

# still_well SERVICE STARTED ID...: none unwell, none started again since STARTED was read, which counts
# as restarted, whoever did it.
still_well() {
	service=$1 then=$2 seen=
	shift 2
	for id in "$@"; do
		failing=$id
		unwell "$service" "$id" && return 1
		seen="$seen$started_at "
	done
	if [ "$seen" != "$then" ]; then
		reason="$service was started again while it was watched" detail=
		return 1
	fi
}
