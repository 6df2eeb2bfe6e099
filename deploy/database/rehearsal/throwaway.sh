# shellcheck shell=sh
# A throw-away server on the host of the database: look_around, open_server, close_server. Set above
# this text, beside what backup.sh needs:
#   about_sql  what psql is asked beside facts_sql   roles_sql  prints the statements that make roles
#   box        the container's name                  entry      what runs in it: entry.sh
#   image      what it is made of                    database   the database's name in it
#   owner      the first superuser's name            encoding   the database's, as PostgreSQL says it
#   memory_kb disk_kb reserve_kb seconds idle linger locks preload: the bounds, as entry.sh has them

# look_around: the database, the image of a server that fits it, and the room for one. Reads only.
look_around() {
	scratch
	if ! locate 2>"$errors" || ! ask_facts "$about_sql"; then
		cat "$errors" >&2
		return 1
	fi
	about=$(printf '%s\n' "$answer" | grep '^{' | head -n 1)
	image=${client_image:-$(docker inspect -f '{{.Image}}' "$container")}
	root=$(docker info -f '{{.DockerRootDir}}')
	[ -d "$root" ] || root=/
	# shellcheck disable=SC2046 # two words
	set -- $(df -Pk "$root" | awk 'NR == 2 { print $4, $6 }')
	printf '{"event":"looked","about":%s,"facts":%s}\n' "$about" "$facts"
	say room image "$image" free_kb "$1" mount "$2" \
		memory_kb "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)"
}

# within SCRIPT [ARGUMENT]...: run it in the container of the throw-away server, as its superuser.
within() {
	script=$1
	shift
	# shellcheck disable=SC2016 # the variables are the container's
	docker exec -i -e "PGOPTIONS=-c statement_timeout=0 -c default_transaction_read_only=off" \
		"$box" sh -c '
		for folder in /usr/lib/postgresql/*/bin; do PATH=$PATH:$folder; done
		limit=$1 script=$2
		shift 2
		exec timeout -k 5 "$limit" sh -c "$script" sh "$@"' sh "$limit" "$script" "$@"
}

# ask_server DATABASE [NAME=VALUE]: SQL from standard input; the variable is psql's.
ask_server() {
	# shellcheck disable=SC2016 # the variables are the container's
	within 'exec psql -XqAt -v ON_ERROR_STOP=1 -v "$2" -d "$1"' "$1" "${2:-x=}"
}

# give_up KIND REASON: the server goes. KIND is refused, failed, or damaged, the backup; if the guard has
# ended one that had started, it is that.
give_up() {
	detail=$(last_lines)
	why=$(why_over)
	close_server
	if [ -n "$why" ] && [ "$1" != refused ]; then
		say kind name ended
		fail "$why"
	fi
	say kind name "$1"
	fail "$2" "${why:-$detail}"
}

close_server() {
	remove "$box"
}

# sweep_servers: those whose time is over; their own guard has failed, or they were never started.
sweep_servers() {
	docker ps -a --filter label=headway.rehearsal --format '{{.ID}} {{.Label "headway.rehearsal"}}' |
		while read -r id until; do
			case $until in *[!0-9]* | '') continue ;; esac
			[ "$until" -lt "$(date +%s)" ] || continue
			remove "$id"
			say said text "removed a throw-away server that an earlier rehearsal had left"
		done
}

# open_server MODE [FILE]: a server with what is in the file, or, in the mode schema, with the schema of
# the database as it is now and the rows of Drizzle's own table, if it has one.
open_server() {
	scratch
	umask 077
	mode=$1 file=${2-} opened=
	trap '[ -n "$opened" ] || close_server; rm -f "$errors" "$errors".*' EXIT
	sweep_servers
	locate 2>"$errors" || fail "the database cannot be reached" "$(last_lines)"
	began=$(now)
	if [ "$mode" = data ]; then
		sha256sum <"$file" >"$errors.sum" 2>/dev/null &
		summing=$!
	fi
	start_server
	[ "$mode" = data ] || take_schema
	# The programs are there at once, and the server comes up beside what they read. Whether what they
	# say of the dump counts is known when the server is, and the sum: both may be the reason for it.
	if take_dump; then unread=; else unread=1; fi
	ask_roles
	wait_for_server
	[ "$mode" != data ] || as_written
	[ -z "$unread" ] || unreadable
	have_extensions
	have_roles
	new_database
	say said text "the server is there after $(seconds_since "$began") s; restoring"
	began=$(now)
	restore
	took=$(seconds_since "$began")
	found=$(printf '%s;\n%s\n' "$counted_sql" "$facts_sql" | ask_server "$database" 2>"$errors") ||
		give_up failed "what was restored could not be asked"
	printf '{"event":"opened","seconds":%s,"listed":%s,"tables":%s,"facts":%s}\n' "$took" \
		"$(grep -cE '^[0-9]+; 1259 [0-9]+ TABLE ' "$errors.list")" \
		"$(printf '%s\n' "$found" | head -n 1)" \
		"$(printf '%s\n' "$found" | grep '^{' | tail -n 1)" | tee -a "$log"
	opened=1
}

# The tables that a dump lists one by one: an extension brings its own.
counted_sql="select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass
                   and d.objid = c.oid and d.deptype = 'e')"

start_server() {
	as=$(docker image inspect -f '{{.Config.User}}' "$image" 2>"$errors") ||
		give_up refused "the image $image is not on this host"
	case $as in '' | 0 | 0:* | root | root:*) as=postgres ;; esac
	# No rights, no network, and the first that the kernel ends when memory is short. What it writes is
	# in the container's own layer, and goes with it.
	timeout -k 5 60 docker run --detach --rm --pull never --name "$box" \
		--label "headway.rehearsal=$(($(date +%s) + seconds + linger))" \
		--network none --log-driver none --user "$as" --workdir / --cap-drop ALL \
		--security-opt no-new-privileges --pids-limit 512 --cpu-shares 256 --oom-score-adj 900 \
		--memory "${memory_kb}k" --memory-swap "${memory_kb}k" --shm-size "$((memory_kb / 2))k" \
		-e PGHOST=/tmp -e "PGUSER=$owner" --entrypoint sh "$image" -c "$entry" headway \
		"$owner" "$disk_kb" "$reserve_kb" "$seconds" "$idle" "$linger" "$memory_kb" "$locks" "$preload" \
		>/dev/null 2>"$errors" || give_up refused "the throw-away server cannot be started"
}

# wait_for_server: until it answers, and is of the real one's version.
wait_for_server() {
	# shellcheck disable=SC2016 # the variables are the container's
	number=$(limit=60 within 'until psql -XqAtc "show server_version_num" -d template1 2>/dev/null; do
		[ ! -e /tmp/headway/why ] || exit 1
		sleep 0.1
	done' </dev/null 2>"$errors") || give_up refused "the throw-away server did not start"
	[ "$((number / 10000))" = "$server_major" ] || give_up refused \
		"the image $image has PostgreSQL $((number / 10000)), and the database is of $server_major"
}

# as_written: that the dump is what its manifest says. It was read while the server was made.
as_written() {
	wait "$summing" || give_up damaged "the dump cannot be read from the disk"
	sum=$(cut -d' ' -f1 "$errors.sum")
	[ "$sum" = "$(sum_in_manifest)" ] || give_up damaged \
		"the dump is not as it was written: its SHA-256 is $sum, and was $(sum_in_manifest)"
}

# take_schema: the schema alone, and beside it the rows that say which migrations are applied.
take_schema() {
	file=$errors.schema
	app='headway rehearsal'
	inside 'exec pg_dump -Fc --schema-only --lock-wait-timeout=30s' </dev/null >"$file" 2>"$errors" ||
		give_up failed "pg_dump of the schema failed"
	if [ -n "$rows_of" ]; then
		# shellcheck disable=SC2016 # the variable is the container's
		inside 'exec pg_dump -Fc --data-only --lock-wait-timeout=30s -t "$1"' "$rows_of" </dev/null \
			>"$errors.rows" 2>"$errors" || give_up failed "pg_dump of $rows_of failed"
	fi
	app=
}

# have_extensions: that what the dump creates is in the image.
have_extensions() {
	wanted=$(sed -n 's/^[0-9]*; 3079 [0-9]* EXTENSION - \(.*[^ ]\) *$/\1/p' "$errors.list")
	missing=$(printf '%s\n' "select string_agg(name, ', ') from regexp_split_to_table(:'wanted', '[[:cntrl:]]') name
		where name <> '' and name not in (select name from pg_available_extensions)" |
		ask_server template1 "wanted=$wanted" 2>"$errors") ||
		give_up failed "the extensions could not be asked"
	[ -z "$missing" ] || give_up refused "the image $image lacks the extension $missing"
}

# take_dump: the file goes into the container, as several sessions restore from nothing else; what is in
# it, and its statements for the schema.
take_dump() {
	within 'until [ -d /tmp/headway ]; do sleep 0.05; done
		exec cat >/tmp/headway/dump' <"$file" 2>"$errors.read" &&
		within 'exec pg_restore -l --create /tmp/headway/dump' \
			</dev/null >"$errors.list" 2>"$errors.read" &&
		within 'exec pg_restore --schema-only -f - /tmp/headway/dump' \
			</dev/null >"$errors.sql" 2>"$errors.read"
}

ask_roles() {
	printf '%s\n' "$roles_sql" | inside 'exec psql -XqAt -v ON_ERROR_STOP=1' \
		>"$errors.roles" 2>"$errors" || give_up failed "the roles could not be asked"
}

# have_roles: those of the real server, without their passwords, and those that only the dump names.
have_roles() {
	id='("([^"]|"")*"|[a-z_][a-z0-9_$]*)'
	sed -n -E -e "s/^ALTER .* OWNER TO $id;\$/\\1/p" \
		-e "s/^(GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) .* (TO|FROM) $id( WITH GRANT OPTION)?;\$/\\3/p" \
		-e "s/^ALTER DEFAULT PRIVILEGES FOR ROLE $id .*/\\1/p" "$errors.sql" | sort -u |
		sed "s/.*/do \$x\$ begin create role &; exception when duplicate_object then null; end \$x\$;/" \
			>>"$errors.roles"
	rm -f "$errors.sql"
	# One that cannot be made is told: whether it is needed, the restore will say.
	within 'exec psql -XqAt -d template1' <"$errors.roles" >/dev/null 2>"$errors" ||
		give_up failed "the roles could not be made"
	[ ! -s "$errors" ] || say warned text "a role is not as it was: $(head -n 1 "$errors")"
}

# new_database: like the one in the dump, its locale, settings and rights included.
new_database() {
	# shellcheck disable=SC2016 # the variables are the container's
	within 'printf "%s\n" "$2" >/tmp/headway/list || exit
		echo "drop database if exists :\"name\"" |
			psql -XqAt -v ON_ERROR_STOP=1 -v "name=$1" -d template1 || exit
		exec pg_restore --create --exit-on-error --no-tablespaces -L /tmp/headway/list -d template1 \
			/tmp/headway/dump' \
		"$database" "$(grep -E '^[0-9]+; [0-9]+ [0-9]+ ([A-Z ]+ - )?DATABASE ' "$errors.list")" \
		</dev/null 2>"$errors" && return
	# An image may lack a locale that the server has.
	say warned text "the database is made without its locale and settings: $(head -n 1 "$errors")"
	{
		echo 'drop database if exists :"name";'
		printf "create database :\"name\" template template0 encoding '%s';\n" "$encoding"
	} | ask_server template1 "name=$database" 2>"$errors" ||
		give_up failed "the database cannot be made"
}

# restore: by as many sessions as the host has cores, up to four; their share of the time is small where
# the real database wants it. Rows come in a transaction that has emptied their table: that needs no WAL.
restore() {
	# shellcheck disable=SC2016 # the variable is the container's
	within 'jobs=$(nproc)
		[ "$jobs" -le 4 ] || jobs=4
		pg_restore --jobs "$jobs" --exit-on-error --no-tablespaces -d "$1" /tmp/headway/dump &&
			exec rm /tmp/headway/dump' "$database" </dev/null 2>"$errors"
	code=$?
	if [ "$code" -ne 0 ]; then
		cp "$errors" "$errors.restore"
		within 'exec pg_restore -f /dev/null /tmp/headway/dump' </dev/null 2>"$errors" || unreadable
		cp "$errors.restore" "$errors"
		give_up failed "pg_restore failed"
	fi
	# shellcheck disable=SC2016 # the variable is the container's
	[ ! -f "$errors.rows" ] ||
		within 'exec pg_restore --exit-on-error -d "$1"' "$database" <"$errors.rows" 2>"$errors" ||
		give_up failed "pg_restore of the rows of $rows_of failed"
	printf '%s\n' "$afterwards" | ask_server "$database" 2>"$errors" ||
		give_up failed "the restored database cannot be analysed"
}

# A dump of the schema leaves views unfilled, which cannot be read then.
# shellcheck disable=SC2016 # the dollars quote for PostgreSQL
afterwards='do $headway$
declare name regclass;
begin
  for name in select oid from pg_class where relkind = $$m$$ and not relispopulated order by oid loop
    begin
      execute format($$refresh materialized view %s$$, name);
    exception when others then null;
    end;
  end loop;
end $headway$;
analyze;'

unreadable() {
	[ ! -s "$errors.read" ] || cp "$errors.read" "$errors"
	[ "$mode" = schema ] || give_up damaged "the dump cannot be decoded to its end"
	give_up failed "the dump of the schema cannot be read"
}
