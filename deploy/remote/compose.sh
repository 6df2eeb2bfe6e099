# shellcheck shell=sh
# Compose with the files of a release, and what it makes of them.

# compose ARGUMENT...: what `docker compose` is here, started by its own name. The CLI first starts it to
# ask who it is, and then once more: three processes in place of one, and four times as long.
compose() {
	[ -n "${compose_program-}" ] || find_compose
	if [ "$compose_program" = docker ]; then
		docker compose "$@"
	else
		"$compose_program" "$@"
	fi
}

# find_compose: the program that the CLI would take, in $compose_program: its folders are those of
# docs.docker.com/compose/install/linux. It is left to the CLI where its configuration names others, which
# come first.
find_compose() {
	compose_program=docker
	! grep -qs cliPluginsExtraDirs "${HOME-}/.docker/config.json" || return 0
	for place in "${HOME-}/.docker" /usr/local/lib/docker /usr/local/libexec/docker \
		/usr/lib/docker /usr/libexec/docker; do
		if [ -x "$place/cli-plugins/docker-compose" ]; then
			compose_program=$place/cli-plugins/docker-compose
			return 0
		fi
	done
}

# compose_of RELEASE ARGUMENT...: Compose with a release's own files, in the application's folder. The
# release "-" is what somebody had there before Headway came.
compose_of() {
	files=$state/releases/$1
	if [ "$1" = - ]; then
		shift
		(cd "$dir" && compose -p "$project" "$@")
		return
	fi
	shift
	compose --project-directory "$dir" -p "$project" --env-file "$files/.env" \
		-f "$files/compose.yaml" -f "$files/host.yaml" "$@"
}

# know RELEASE: its configuration hashes, once for all that hash_of is asked: Compose takes a good part
# of a second on a host that has work to do.
know() {
	[ "${known-}" = "$1" ] && return 0
	known=$1 hashes=$(hashes_by "$state/releases/$1" compose_of "$1")
}

# hashes_by FOLDER COMMAND...: what containers are labelled with, a line for each service. COMMAND is
# Compose with the files in FOLDER. `config --hash` alone hashes the name of an env_file, and not what
# is in it: where there may be one, it is `config` first.
hashes_by() {
	if [ -f "$1/compose.yaml" ] && [ -f "$1/host.yaml" ] &&
		! grep -qE 'env_file|include|extends' "$1/compose.yaml" "$1/host.yaml"; then
		shift
		"$@" config --hash '*' 2>/dev/null
		return
	fi
	shift
	"$@" config 2>/dev/null |
		compose --project-directory "$dir" -p "$project" -f - config --hash '*' 2>/dev/null
}

# hash_of RELEASE SERVICE: the configuration hash that a container of it is labelled with.
hash_of() {
	know "$1"
	printf '%s\n' "$hashes" | awk -v name="$2" '$1 == name { print $2 }'
}
