# shellcheck shell=sh
# Before anything changes: the release's files are on the host, its images are pulled, Compose can read
# it, and the services that are not rolled (a database, a proxy) run.
# A release's file `roll` says what there is to do: lines `image REF`, `other SERVICE`, and
# `service NAME ORDER PORT DRAIN REPLICAS PROBE[,PROBE]...`

# prepare: the release arrives on standard input: a line with the registry's password, or an empty
# one, then a tar.
prepare() {
	IFS= read -r password || :
	if ! receive || ! make_ready "$password"; then
		say failed reason "$reason" detail "$detail"
		return 1
	fi
	say prepared
}

# recall: the release is here already. Standard input: the line with the password alone.
recall() {
	IFS= read -r password || :
	if [ ! -f "$state/releases/$release/roll" ]; then
		say failed reason "the release $release is no longer on this host"
		return 1
	fi
	if ! make_ready "$password"; then
		say failed reason "$reason" detail "$detail"
		return 1
	fi
	say prepared
}

receive() {
	mkdir -p "$state/releases" "$state/proxy" "$dir/slots" && chmod 755 "$dir/slots"
	find "$state/releases" -mindepth 1 -maxdepth 1 -name '.incoming.*' -exec rm -rf {} +
	incoming=$state/releases/.incoming.$$
	# For its owner alone: not every tar gives a file its mode before it writes into it.
	(umask 077 && mkdir "$incoming")
	if ! detail=$(tar -xpf - -C "$incoming" 2>&1); then
		rm -rf "$incoming"
		reason="the release's files did not arrive whole"
		return 1
	fi
	place_proxy_files
	place_first_files
	if diff -rq "$incoming" "$state/releases/$release" >/dev/null 2>&1; then
		rm -rf "$incoming"
	else
		rm -rf "${state:?}/releases/$release"
		mv "$incoming" "$state/releases/$release"
	fi
}

make_ready() {
	# shellcheck disable=SC2046 # one word for each image
	pull "$1" $(of_release image) || return 1
	# Internal, so that it never becomes a container's way out: a container that joins it while it runs
	# would have its default route changed, and its published ports taken away for a moment.
	if ! detail=$(docker network inspect "$network" 2>&1 ||
		docker network create --internal "$network" 2>&1 ||
		docker network inspect "$network" 2>&1); then
		reason="could not create the network $network"
		return 1
	fi
	if ! detail=$(compose_of "$release" config -q 2>&1); then
		reason="docker compose cannot read the release's compose file"
		return 1
	fi
	proxy_prepare
	others=$(of_release other)
	# shellcheck disable=SC2046 # one word for each id
	if waiting_proxy && [ -n "$(publishing $(each_rolled containers | awk '{ print $1 }'))" ]; then
		# Its ports are still taken, by what it is to stand before: see take_over.
		others=$(printf '%s' "$others" | grep -vx "$proxy_service")
	fi
	# shellcheck disable=SC2086 # one word for each service
	[ -z "$others" ] || start_others $others || return 1
	sees_slots
}

# sees_slots: a proxy of the team's own that ran before Headway came would not follow the flag, and the
# old containers would be taken away from behind it. To make it anew is a gap that a person times.
sees_slots() {
	proxy=$(proxy_container)
	[ -n "$proxy" ] || return 0
	case " $(docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "$proxy")" in
	*" $network "*) return 0 ;;
	esac
	files=.headway/releases/$release
	reason="$proxy_service ran here before Headway came, and does not see the slots yet"
	detail="Put its new configuration in place, then make it anew (a gap of about a second):
cd $dir && docker compose -p $project --project-directory . --env-file $files/.env \
-f $files/compose.yaml -f $files/host.yaml up -d --no-deps $proxy_service"
	return 1
}

# The proxy's snippet is not the release's but the host's: the running proxy has read it.
place_proxy_files() {
	[ -d "$incoming/proxy" ] || return 0
	for file in "$incoming"/proxy/*; do
		place=$state/proxy/${file##*/}
		cmp -s "$file" "$place" || cp "$file" "$place"
	done
	rm -rf "$incoming/proxy"
}

# What is not rolled binds its files in the folder itself: on a first deploy they must be there before
# it starts, or Docker makes folders of their names. Later ones are placed when the host settles.
place_first_files() {
	[ -d "$incoming/beside" ] || return 0
	(cd "$incoming/beside" && find . -type f) | while read -r file; do
		[ -e "$dir/$file" ] && continue
		mkdir -p "$dir/$(dirname "$file")" && cp -p "$incoming/beside/$file" "$dir/$file"
	done
}

# pull PASSWORD IMAGE...: what is not there yet, in a Docker configuration of this run's own, so that
# the password is never kept on the host.
pull() {
	password=$1
	shift
	missing=
	docker image inspect "$@" >/dev/null 2>&1 || for image in "$@"; do
		docker image inspect "$image" >/dev/null 2>&1 || missing="$missing $image"
	done
	[ -n "$missing" ] || return 0
	config=$(mktemp -d)
	trap 'rm -rf "$config"' EXIT
	[ -z "$password" ] || log_in || return 1
	for image in $missing; do
		say said text "pulling $image"
		tries=1
		until detail=$(docker --config "$config" pull -q "$image" 2>&1); do
			[ $tries -lt 3 ] || {
				reason="could not pull $image"
				return 1
			}
			case $detail in *"no space left"* | *"manifest unknown"* | *"not found"* | *denied*)
				reason="could not pull $image"
				return 1
				;;
			esac
			sleep $tries
			tries=$((tries + 1))
		done
	done
	detail=
}

# log_in: into the registry, with the password, in this run's own configuration.
log_in() {
	tries=1
	until detail=$(printf '%s' "$password" | docker --config "$config" login -u "$registry_user" \
		--password-stdin "$registry" 2>&1); do
		case $detail in *unauthorized* | *"401 Unauthorized"* | *denied* | *"403 Forbidden"*)
			reason="the registry $registry refused the login of $registry_user"
			return 1
			;;
		esac
		[ $tries -lt 3 ] || {
			reason="the registry $registry could not be logged in to ($tries times)"
			return 1
		}
		sleep $tries
		tries=$((tries + 1))
	done
}

# start_others SERVICE...: have those run that are not rolled.
start_others() {
	# --no-recreate: one whose configuration has changed is left alone, and the plan says so.
	if ! detail=$(compose_of "$release" up -d --no-recreate --no-build --pull never "$@" 2>&1); then
		reason="docker compose could not start $*"
		return 1
	fi
	for service in "$@"; do
		for id in $(containers "$service" | awk '{ print $1 "/" $3 }'); do
			state_now=${id#*/} id=${id%/*}
			[ "$state_now" = exited ] && ended_well "$id" && continue
			if ! wait_ready known "$service" "$id"; then
				detail=$(tail_of "$id")
				return 1
			fi
		done
	done
	detail=
}

# ended_well ID: it had one thing to do, and has done it.
ended_well() {
	[ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}' "$1")" = \
		"exited 0 no" ]
}
