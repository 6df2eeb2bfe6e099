# shellcheck shell=sh
# The way back to a backup: into a new database, looked at, and then swapped in by name. Set above
# this text, beside what backup.sh needs:
#   fresh  the new database's name      old  what the present one is called afterwards

# psql_to DATABASE: run SQL from standard input in another database of the server.
psql_to() {
	# shellcheck disable=SC2016 # the variable is the container's
	inside 'exec psql -XqAt -v ON_ERROR_STOP=1 -v fresh="$2" -v old="$3" -d "$1"' \
		"$1" "$fresh" "$old" 2>"$errors"
}

# give_up REASON: the new database goes; the present one was never touched.
give_up() {
	why=$(last_lines)
	printf '%s\n' 'drop database if exists :"fresh"' | psql_to "$beside" || :
	fail "$1" "$why"
}

# restore KB: everything up to the swap; the new database is expected to need so much. Afterwards both
# are there, and nobody has noticed anything.
restore() {
	scratch
	locate 2>"$errors" || fail "the database cannot be reached" "$(last_lines)"
	ask_facts || fail "the database could not be asked" "$(last_lines)"
	file=$backups/$name.dump
	sum=$(sha256sum <"$file" | cut -d' ' -f1)
	[ "$sum" = "$(sum_in_manifest)" ] || fail "the dump is not as it was written: inv backup verifies it"
	beside=$(echo "select current_database()" |
		inside 'exec psql -XqAt -d postgres' 2>/dev/null) || beside=
	[ -n "$beside" ] || beside=template1
	room_for "$1"
	new_database
	say said text "restoring into $fresh"
	began=$(now)
	# shellcheck disable=SC2016 # the variable is the container's
	inside 'exec pg_restore --exit-on-error -d "$1"' "$fresh" <"$file" 2>"$errors" ||
		give_up "pg_restore failed"
	echo 'analyze;' | psql_to "$fresh" || give_up "the new database cannot be analysed"
	took=$(seconds_since "$began")
	found=$(printf '%s\n' "$facts_sql" | psql_to "$fresh") || give_up "the new database cannot be asked"
	found=$(printf '%s\n' "$found" | grep '^{' | tail -n 1)
	printf '{"event":"restored","seconds":"%s","beside":"%s","facts":%s}\n' "$took" "$beside" "$found" |
		tee -a "$log"
}

# room_for KB: where the server's disk can be looked at, which is in its own container alone.
room_for() {
	[ -z "${client_image:-}" ] || return 0
	# shellcheck disable=SC2016 # the shell in the container fills it in
	free=$(inside 'df -Pk "$(psql -XqAtc "show data_directory")"' </dev/null 2>/dev/null |
		awk 'NR == 2 { print $4 }')
	[ -z "$free" ] || [ "$free" -gt "$1" ] ||
		fail "no room for a second database: it needs about $(($1 / 1024)) MiB, and the server's disk has $((free / 1024)) MiB free"
}

# new_database: like the one in the dump, its owner, encoding, locale, rights and settings included.
new_database() {
	# shellcheck disable=SC2016 # the variable is the container's
	inside 'exec pg_restore --create --schema-only -f -' <"$file" 2>"$errors" >"$errors.sql" ||
		give_up "the dump cannot be read"
	statement=$(grep -m 1 '^CREATE DATABASE ' "$errors.sql" |
		sed 's/^CREATE DATABASE .* WITH TEMPLATE = /create database :"fresh" with template = /')
	rest=$(sed -n -e 's/^\(ALTER\|COMMENT ON\) DATABASE \("[^"]*"\|[^" ]*\) /\1 DATABASE :"fresh" /p' \
		-e 's/^\(GRANT\|REVOKE\) \(.*\) ON DATABASE \("[^"]*"\|[^" ]*\) /\1 \2 ON DATABASE :"fresh" /p' \
		"$errors.sql")
	rm -f "$errors.sql"
	printf '%s\n%s\n' "${statement:-create database :\"fresh\" with template = template0;}" "$rest" |
		psql_to "$beside" || give_up "the new database cannot be made"
}

# swap DATABASE: both names change in one transaction, or neither does. It takes the database's lock,
# behind which new sessions wait; those that are there are ended.
swap() {
	scratch
	locate 2>"$errors" || fail "the database cannot be reached" "$(last_lines)"
	beside=$2
	tries=0
	until printf '%s\n' "select pg_terminate_backend(pid) from pg_stat_activity
			where datname in (:'present', :'fresh') and pid <> pg_backend_pid() \\g /dev/null" \
		'begin;' 'alter database :"present" rename to :"old";' \
		'alter database :"fresh" rename to :"present";' 'commit;' | swapping "$1"; do
		tries=$((tries + 1))
		if [ "$tries" -ge 5 ] || ! grep -q 'being accessed by other users' "$errors"; then
			swapped_already "$1" && break
			give_up "the databases could not be swapped"
		fi
	done
	say swapped old "$old"
}

swapping() {
	# shellcheck disable=SC2016 # the variables are the container's
	inside 'exec psql -XqAt -v ON_ERROR_STOP=1 -v present="$2" -v fresh="$3" -v old="$4" -d "$1"' \
		"$beside" "$1" "$fresh" "$old" 2>"$errors"
}

# swapped_already: an earlier try whose answer was lost has done it.
swapped_already() {
	# shellcheck disable=SC2016 # the variables are the container's
	printf '%s\n' "select count(*) filter (where datname in (:'present', :'old')),
			count(*) filter (where datname = :'fresh') from pg_database" |
		inside 'exec psql -XqAt -v present="$2" -v fresh="$3" -v old="$4" -d "$1"' \
			"$beside" "$1" "$fresh" "$old" 2>/dev/null | grep -qx '2|0'
}

# discard DATABASE: the new database goes again.
discard() {
	scratch
	locate 2>"$errors" || fail "the database cannot be reached" "$(last_lines)"
	printf '%s\n' 'drop database if exists :"fresh"' | psql_to "$1" ||
		fail "the new database could not be removed" "$(last_lines)"
}
