# shellcheck shell=sh
# What floor.sh does on a host. It travels as text, behind the settings that the next lines look for
# and in front of the one call that is wanted.
# shellcheck disable=SC2154 # set by floor.sh
: "$tag" "$image" "$release" "$deploy" "$min_healthy" "$bake" "$deadline" "$drain" "$keep"

set -eu
cd /srv/shop
new=/srv/shop/.headway/releases/$release
exec 9>>.headway/roll.lock
flock -w 60 9

fail() {
	echo "$(uname -n): $*" >&2
	exit 1
}

compose() {
	docker compose --project-directory /srv/shop -p shop --env-file "$new/.env" \
		-f "$new/compose.yaml" -f "$new/host.yaml" "$@"
}

up() {
	said=$(compose up -d --no-recreate --no-build --pull never "$@" 2>&1) || fail "$said"
}

ids() {
	docker ps -aq --no-trunc --filter label=com.docker.compose.project=shop \
		--filter "label=com.docker.compose.service=$1"
}

# prepare PULL SERVICE: standard input is the registry's password in a line, then the files.
prepare() {
	read -r password
	rm -rf "$new"
	mkdir -p "$new"
	tar -xpf - -C "$new"
	if [ "$1" = pull ]; then
		config=$(mktemp -d)
		trap 'rm -rf "$config"' EXIT
		printf '%s' "$password" | docker --config "$config" login -u sandbox --password-stdin \
			localhost:5050 >/dev/null 2>&1 || fail "the registry refused the login"
		docker --config "$config" pull -q "$image" >/dev/null
	fi
	compose config -q
	[ -z "$2" ] || up "$2"
}

# migrations_wanted: the hashes of the migrations in the image.
migrations_wanted() {
	work=$(mktemp -d)
	id=$(docker create "$image")
	trap 'docker rm -v "$id" >/dev/null; rm -rf "$work"' EXIT
	docker cp "$id:/app/drizzle" - | tar -xf - -C "$work"
	sed -n 's/.*"tag": *"\([^"]*\)".*/\1/p' "$work/drizzle/meta/_journal.json" | while read -r name; do
		sha256sum <"$work/drizzle/$name.sql"
	done | cut -d ' ' -f 1
}

# migrations_applied: the hashes in the database.
migrations_applied() {
	docker exec "$(ids database)" psql -XqAt -U shop -d shop \
		-c 'select hash from drizzle.__drizzle_migrations order by id'
}

state() {
	docker inspect -f '{{.State.Status}} {{.State.Health.Status}} {{.RestartCount}}' "$1"
}

well() {
	[ "$(state "$1")" = "running healthy 0" ] || fail "$1 is no longer well: $(state "$1")"
}

# gate ID: healthy within its time, still so after a moment; what is asked of it is asked between.
gate() {
	left=$((deadline * 5))
	while :; do
		now=$(state "$1")
		case $now in
		"running healthy 0") break ;;
		"running starting 0") ;;
		*) fail "the new container is $now: $(docker logs --tail 15 "$1" 2>&1)" ;;
		esac
		left=$((left - 1))
		[ $left -gt 0 ] || fail "the new container was not healthy in $deadline s"
		sleep 0.2
	done
	shift
	"$@"
	sleep "$min_healthy"
	well "$id"
}

probe() {
	curl -fsS --max-time 5 -o /dev/null -H "Host: $site" "$1/" || fail "$1/ does not answer"
	curl -fsS --max-time 5 -H "Host: $site" "$1/healthz" | grep -q "\"version\":\"$tag\"" ||
		fail "$1/healthz does not say $tag"
}

probe_directly() {
	at=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$id")
	probe "http://${at%% *}:3000"
}

# watch COMMAND: once a second through the bake.
watch() {
	second=0
	while [ $second -lt "$bake" ]; do
		sleep 1
		well "$id"
		"$@"
		second=$((second + 1))
	done
}

flip() {
	if [ "$1" = green ]; then touch slots/web.green; else rm -f slots/web.green; fi
}

# in_flight SLOT: empty when the proxy waits for no answer of that slot.
in_flight() {
	docker exec "$(ids proxy)" wget -qO- http://localhost:2019/reverse_proxy/upstreams | tr '{' '\n' |
		sed -n "s/.*\"web-$1:3000\".*\"num_requests\":\([1-9][0-9]*\).*/\1/p"
}

# Where the roll ends before its time, the old container has the traffic again.
undo() {
	code=$?
	[ $code -ne 0 ] || return 0
	flip "$live"
	[ -z "$id" ] || docker rm -f -v "$id" >/dev/null
	exit $code
}

roll_web() {
	site=127.0.0.1:8080 id=
	if [ -e slots/web.green ]; then live=green next=blue; else live=blue next=green; fi
	old=$(ids web)
	trap undo EXIT
	up --scale web=2 web
	id=$(ids web | grep -vF "$old")
	gate "$id" probe_directly
	docker network connect --alias "web-$next" shop-slots "$id"

	flip "$next"
	probe http://127.0.0.1
	watch probe http://127.0.0.1

	trap - EXIT
	left=$((drain * 5))
	while [ -n "$(in_flight "$live")" ] && [ $left -gt 0 ]; do
		sleep 0.2
		left=$((left - 1))
	done
	docker stop "$old" >/dev/null
	docker rm -v "$old" >/dev/null
	promote
}

# Never two workers at once.
roll_worker() {
	old=$(ids worker)
	docker stop "$old" >/dev/null
	docker rm -v "$old" >/dev/null
	up worker
	id=$(ids worker)
	gate "$id" true
	watch true
	promote
}

promote() {
	cmp -s "$new/beside/Caddyfile" Caddyfile || cat "$new/beside/Caddyfile" >Caddyfile
	put .headway/ host.yaml
	put '' compose.yaml
	put '' .env
	touch "$new"
	record settled
	# shellcheck disable=SC2012 # the names are Headway's
	ls -1t .headway/releases | tail -n "+$((keep + 1))" | while read -r past; do
		sed -n 's/^# image //p' ".headway/releases/$past/.env" | xargs -r docker image rm >/dev/null 2>&1 || :
		rm -rf ".headway/releases/$past"
	done
}

put() {
	cp -p "$new/$2" "$1$2.new"
	mv -f "$1$2.new" "$1$2"
}

record() {
	printf '{"v":1,"at":"%s","deploy":"%s","verb":"deploy","release":"%s","what":"%s","reason":"","by":"floor.sh"}\n' \
		"$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$deploy" "$release" "$1" >>.headway/journal.jsonl
}

# verify SERVICE: it runs the new release once, and plain `docker compose up -d` would leave it alone.
verify() {
	grep -qx "HEADWAY_RELEASE=$release" .env || fail ".env is not of $release"
	id=$(ids "$1")
	if [ "$1" = database ]; then
		case $(state "$id") in "running healthy "*) ;; *) fail "the database is $(state "$id")" ;; esac
	else
		well "$id"
		set -- "$1" "$(docker inspect -f \
			'{{.Config.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}' "$id")"
		hash=$(docker compose config --hash "$1" | cut -d ' ' -f 2)
		[ "$2" = "$image $hash" ] || fail "$1 is not as the files here say: $2, not $image $hash"
	fi
	record "done"
}
