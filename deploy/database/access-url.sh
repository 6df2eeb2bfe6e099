# shellcheck shell=sh
# PostgreSQL somewhere else: a one-off container of the server's own major version runs on this host
# and in its network. What leads to the database, the password among it, comes as the first lines of
# standard input and is passed on in the same way: never as an argument, never as `docker run -e`.
# Set above this text: image, with {major} in it or not; major, or empty; limit, in seconds, for
# whatever is run.

# With which client the server is asked for its version: newest first.
_majors='18 17 16 15 14'

_image() {
	printf '%s' "$image" | sed "s/{major}/$1/g"
}

# locate: read the lines up to the empty one, and find the image of the server's own version.
locate() {
	secret=
	while IFS= read -r line && [ -n "$line" ]; do
		secret="$secret$line
"
	done
	case $image in
	*'{major}'*) ;;
	*) client_image=$image && return 0 ;;
	esac
	if [ -z "$major" ]; then
		# Any psql can ask; one that is here already need not be pulled.
		client_image=
		for candidate in $_majors; do
			docker image inspect "$(_image "$candidate")" >/dev/null 2>&1 || continue
			client_image=$(_image "$candidate")
			break
		done
		[ -n "$client_image" ] || client_image=$(_image 17)
		number=$(inside 'exec psql -XqAtc "show server_version_num"' </dev/null) || return 1
		major=$((number / 10000))
	fi
	client_image=$(_image "$major")
}

# inside SCRIPT [ARGUMENT]...: run it where psql and pg_dump are, with the PG* variables that lead to
# the database; standard input, output and exit code are the script's.
inside() {
	script=$1
	shift
	bundle=/etc/ssl/certs/ca-certificates.crt
	mount=
	[ ! -f "$bundle" ] || mount="-v=$bundle:$bundle:ro"
	# Without a log: what it prints may be a whole dump, and Docker would keep it on the disk.
	# shellcheck disable=SC2016 # the variables are the container's
	{
		printf '%s\n' "$secret"
		cat
	} | docker run -i --rm --network host --log-driver none --label headway.client=1 \
		--entrypoint sh ${mount:+"$mount"} "$client_image" -c '
		export PGAPPNAME="$2"
		while IFS= read -r line && [ -n "$line" ]; do export "$line"; done
		limit=$1 script=$3
		shift 3
		if command -v timeout >/dev/null; then set -- timeout -k 5 "$limit" sh -c "$script" sh "$@"
		else set -- sh -c "$script" sh "$@"; fi
		exec "$@"' sh "$limit" "${app:-headway}" "$script" "$@"
}
