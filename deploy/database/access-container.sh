# shellcheck shell=sh
# PostgreSQL in a container of this host: its own programs, which fit it, are run by `docker exec`.
# Set above this text: container, or project and service; user and database, or empty: the
# container's own POSTGRES_USER and POSTGRES_DB; limit, in seconds, for whatever is run.

# locate: find the container; the secret that a URL would have is read, and there is none.
locate() {
	if [ -z "$container" ]; then
		# A container that Compose did not make may lack the last label; a one-off one is none of them.
		container=$(docker ps --filter "label=com.docker.compose.project=$project" \
			--filter "label=com.docker.compose.service=$service" \
			--format '{{.ID}} {{.Label "com.docker.compose.oneoff"}}' | awk '
			$2 == "False" { found = $1; exit }
			NF == 1 && !lacking { lacking = $1 }
			END { print found ? found : lacking }')
	fi
	[ -n "$container" ] || {
		echo "$service does not run here" >&2
		return 1
	}
}

# inside SCRIPT [ARGUMENT]...: run it where psql and pg_dump are, with the PG* variables that lead to
# the database; standard input, output and exit code are the script's.
inside() {
	script=$1
	shift
	# shellcheck disable=SC2016 # the variables are the container's
	docker exec -i "$container" sh -c '
		export PGUSER="${1:-${POSTGRES_USER:-postgres}}"
		export PGDATABASE="${2:-${POSTGRES_DB:-$PGUSER}}" PGAPPNAME="$4"
		[ -z "${POSTGRES_PASSWORD_FILE:-}" ] || POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
		[ -z "${POSTGRES_PASSWORD:-}" ] || export PGPASSWORD="$POSTGRES_PASSWORD"
		# A session whose client is gone ends in a second, and not when its statement does (14 on).
		export PGOPTIONS="-c client_connection_check_interval=1000"
		limit=$3 script=$5
		shift 5
		if command -v timeout >/dev/null; then set -- timeout -k 5 "$limit" sh -c "$script" sh "$@"
		else set -- sh -c "$script" sh "$@"; fi
		exec "$@"' sh "$user" "$database" "$limit" "${app:-headway}" "$script" "$@"
}
