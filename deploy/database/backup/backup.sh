# shellcheck shell=sh
# A backup on the host of its database: survey, shelf, backup, foreign, verify, record. Set above this
# text, beside what lib.sh and the access need:
#   backups    the folder               name     the backup's name
#   facts_sql  what psql is asked       order    what the manifest says of the order, as JSON members
#   remove     names that go after it   limit    seconds for whatever runs inside

# fail REASON [DETAIL]: what was begun goes, and the run has failed.
fail() {
	rm -f "$backups/$name.dump.partial" "$backups/$name.json.partial"
	say failed reason "$1" detail "${2-}"
	finish 1
}

last_lines() {
	tail -n 15 "$errors" 2>/dev/null
}

seconds_since() {
	awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.2f", (to - from) / 100 }'
}

# ask_facts [SQL]: what the database is, as one line of JSON in $facts, and the client's version.
ask_facts() {
	answer=$(printf '%s\n%s\n' "${1-}" "$facts_sql" |
		inside 'pg_dump --version && exec psql -XqAt -v ON_ERROR_STOP=1' 2>"$errors") || return 1
	client=$(printf '%s\n' "$answer" | head -n 1 | sed 's/.*) //; s/ .*//')
	facts=$(printf '%s\n' "$answer" | grep '^{' | tail -n 1)
	[ -n "$facts" ]
}

# scratch: a file for what programs say; in memory where there is some, for the disk may be full.
scratch() {
	errors=$(mktemp -p /dev/shm 2>/dev/null || mktemp)
	trap 'rm -f "$errors" "$errors".*' EXIT
}

# survey: the database and the shelf; nothing is changed.
survey() {
	scratch
	if ! locate 2>"$errors" || ! ask_facts; then
		cat "$errors" >&2
		return 1
	fi
	printf '{"event":"database","client":"%s","facts":%s}\n' "$(quote "$client")" "$facts"
	shelf
}

# shelf: the manifests, the dumps, and the room that is left for more.
shelf() {
	place=$backups
	while [ ! -e "$place" ]; do place=$(dirname "$place"); done
	df -Pk "$place" | awk 'NR == 2 { print $4, $6 }' | while read -r free mount; do
		say room free_kb "$free" mount "$mount"
	done
	for file in "$backups"/*.json; do
		[ -f "$file" ] || continue
		printf '{"event":"kept","file":"%s","manifest":%s}\n' "$(quote "${file##*/}")" \
			"$(head -c 4000000 "$file" | tr -d '\n')"
	done
	for file in "$backups"/*.dump; do
		[ -f "$file" ] || continue
		say dump file "${file##*/}" bytes "$(wc -c <"$file")"
	done
	return 0
}

# sweep: what a backup that was killed has left. The lock is ours, so nobody is at work on it.
sweep() {
	# A copy that is being sent is not under the lock: only one of yesterday's is left over.
	find "$backups" -maxdepth 1 -name '*-????????-??????.dump.age*' -mmin +1440 -exec rm -f {} +
	for file in "$backups"/*-????????-??????.dump.partial "$backups"/*-????????-??????.json.partial; do
		[ -f "$file" ] || continue
		rm -f "$file"
		say said text "removed ${file##*/}, which a backup that was cut short had left"
	done
}

# open_folder: make the folder, for the owner's eyes alone, and tidy it.
open_folder() {
	umask 077
	if ! { mkdir -p "$backups" && chmod 0700 "$backups"; } 2>"$errors"; then
		fail "cannot write to $backups" "$(last_lines)"
	fi
	sweep
}

# own_name: two that were ordered in one second have one name. Under the lock, the later one takes that
# of a second that nobody has.
own_name() {
	while [ -e "$backups/$name.dump" ] || [ -e "$backups/$name.json" ]; do
		sleep 1
		name=${name%-*-*}-$(date -u +%Y%m%d-%H%M%S)
	done
}

# What a backup that was killed may have left running in the server.
left_sessions="select pg_terminate_backend(pid) from pg_stat_activity
where application_name = 'headway backup' and datname = current_database()
  and pid <> pg_backend_pid() \\g /dev/null"

# backup COMPRESSION: dump, decode to the end, and only then give it its name.
backup() {
	scratch
	locate 2>"$errors" || fail "the database cannot be reached" "$(last_lines)"
	open_folder
	own_name
	ask_facts "$left_sessions" || fail "the database could not be asked" "$(last_lines)"
	dump=$backups/$name.dump.partial
	began=$(now)
	take "$1"
	bytes=$(wc -c <"$dump")
	{ sync "$dump" 2>/dev/null || sync; } &
	syncing=$!
	dumped=$(seconds_since "$began")
	say said text "dumped in $dumped s; decoding it to its end"
	began=$(now)
	decode "$dump"
	wait "$syncing" || fail "the disk does not say that it has kept what pg_dump wrote: look at it"
	[ "$sum" = "$streamed" ] || fail "the disk has not kept what pg_dump wrote: look at it"
	decoded=$(seconds_since "$began")
	before=$facts
	ask_facts || fail "the database could not be asked after the dump" "$(last_lines)"
	[ "$(head_of "$before")" = "$(head_of "$facts")" ] ||
		fail "somebody applied a migration while the dump was made: take another one"
	printf '{"v":1,"name":"%s","method":"dump",%s,"at":"%s","bytes":%s,"sha256":"%s","client":"%s",%s,%s}\n' \
		"$name" "$order" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$bytes" "$sum" "$(quote "$client")" \
		"\"decoded\":true,\"seconds\":{\"dump\":$dumped,\"decode\":$decoded}" \
		"\"facts\":$before" >"$backups/$name.json.partial" || fail "the manifest cannot be written"
	sync "$backups/$name.json.partial" 2>/dev/null || sync
	# The dump's name is what makes it one: it comes last.
	mv -f "$backups/$name.json.partial" "$backups/$name.json"
	mv -f "$dump" "$backups/$name.dump" || fail "the dump cannot be given its name"
	sync "$backups" 2>/dev/null || sync
	thin_out
	kept
}

head_of() {
	printf '%s' "$1" | sed 's/.*"head" *: *//; s/, *"tables".*//'
}

# take COMPRESSION: pg_dump into $dump, summed up on its way in $streamed; where the client was built
# without zstd, with gzip. A frame of zstd as pg_dump writes it holds no checksum of its own: only
# this sum tells whether the disk has kept what came.
take() {
	app='headway backup'
	# Where no file can be made, tee would not be started, and nobody would ever write to the pipe.
	if ! why=$({ true >"$dump"; } 2>&1); then
		fail "the dump could not be written" "$why"
	fi
	mkfifo "$errors.pipe" || fail "no pipe can be made in $(dirname "$errors")"
	sha256sum <"$errors.pipe" >"$errors.sum" &
	summing=$!
	# dash has no pipefail: the first one's exit code goes through a file.
	# shellcheck disable=SC2016 # the variable is the container's
	{
		inside 'exec pg_dump -Fc -Z "$1"' "$1" </dev/null 2>"$errors"
		echo $? >"$errors.code"
	} | tee "$errors.pipe" >"$dump" 2>"$errors.tee"
	written=$?
	wait "$summing"
	streamed=$(cut -d' ' -f1 "$errors.sum")
	code=$(cat "$errors.code")
	rm -f "$errors.pipe" "$errors.sum" "$errors.code"
	app=
	if [ "$written" -ne 0 ]; then
		free=$(df -Pk "$backups" | awk 'NR == 2 { print $4 }')
		why=$(cat "$errors.tee")
		[ "$free" -gt 1024 ] || fail "the disk of $backups is full" "$why"
		fail "the dump could not be written" "$why"
	fi
	if [ "$code" -ne 0 ] && [ "$1" != 1 ] && grep -qi 'compression' "$errors"; then
		take 1
		return
	fi
	[ "$code" -eq 0 ] || fail "pg_dump failed" "$(last_lines)"
	[ -s "$dump" ] || fail "pg_dump left an empty file" "$(last_lines)"
}

# decode FILE: read it to its end, as a restore would, and sum it up in $sum meanwhile.
decode() {
	sha256sum <"$1" >"$errors.sum" &
	summing=$!
	inside 'exec pg_restore -f /dev/null' <"$1" 2>"$errors"
	code=$?
	wait "$summing"
	summed=$?
	sum=$(cut -d' ' -f1 "$errors.sum")
	rm -f "$errors.sum"
	[ "$summed" -eq 0 ] && [ -n "$sum" ] || fail "the dump cannot be read back from the disk"
	[ "$code" -eq 0 ] || fail "the dump cannot be decoded to its end" "$(last_lines)"
}

thin_out() {
	for old in $remove; do
		rm -f "$backups/$old.json" "$backups/$old.dump" && say removed name "$old"
	done
}

kept() {
	printf '{"event":"kept","file":"%s.json","manifest":%s}\n' "$name" "$(cat "$backups/$name.json")" |
		tee -a "$log"
}

# foreign COMMAND VERIFY: a backup by the owner's own command, with a point to restore to.
foreign() {
	scratch
	locate 2>"$errors" || fail "the database cannot be reached" "$(last_lines)"
	open_folder
	own_name
	ask_facts || fail "the database could not be asked" "$(last_lines)"
	point="headway_$name"
	if ! echo "select pg_create_restore_point('$point') \\g /dev/null" |
		inside 'exec psql -XqAt -v ON_ERROR_STOP=1' 2>"$errors"; then
		say warned text "no restore point: $(last_lines | head -n 1)"
		point=
	fi
	began=$(now)
	export HEADWAY_BACKUP="$name" HEADWAY_RESTORE_POINT="$point"
	(cd "$dir" && timeout -k 5 "$limit" sh -c "$1") </dev/null >"$errors" 2>&1
	code=$?
	[ "$code" -eq 0 ] || fail "backup.command ended with exit code $code" "$(last_lines)"
	took=$(seconds_since "$began")
	checked=null
	if [ -n "$2" ]; then
		(cd "$dir" && timeout -k 5 "$limit" sh -c "$2") </dev/null >"$errors" 2>&1
		code=$?
		[ "$code" -eq 0 ] || fail "backup.verify ended with exit code $code" "$(last_lines)"
		checked=true
	fi
	printf '{"v":1,"name":"%s","method":"command",%s,"at":"%s","client":"%s","point":"%s",%s,%s}\n' \
		"$name" "$order" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(quote "$client")" "$point" \
		"\"decoded\":$checked,\"seconds\":{\"dump\":$took}" \
		"\"facts\":$facts" >"$backups/$name.json.partial" || fail "the manifest cannot be written"
	mv -f "$backups/$name.json.partial" "$backups/$name.json"
	thin_out
	kept
}

# sum_in_manifest: the SHA-256 that the dump had when it was made.
sum_in_manifest() {
	sed -n 's/.*"sha256" *: *"\([0-9a-f]*\)".*/\1/p' "$backups/$name.json" 2>/dev/null | head -n 1
}

# verify: the bytes are those that were written, and they are decoded once more.
verify() {
	scratch
	[ -f "$backups/$name.dump" ] || fail "there is no $backups/$name.dump"
	locate 2>"$errors" || fail "the database's own programs cannot be reached" "$(last_lines)"
	began=$(now)
	wanted=$(sum_in_manifest)
	sum=$(sha256sum <"$backups/$name.dump" | cut -d' ' -f1)
	[ "$sum" = "$wanted" ] ||
		fail "the dump is not as it was written: its SHA-256 is $sum, and was $wanted"
	decode "$backups/$name.dump"
	say verified seconds "$(seconds_since "$began")"
}

# record: a manifest with something new in it, from standard input, takes the old one's place.
record() {
	scratch
	umask 077
	cat >"$backups/$name.json.partial" || fail "the manifest cannot be written"
	sync "$backups/$name.json.partial" 2>/dev/null || sync
	mv -f "$backups/$name.json.partial" "$backups/$name.json" || fail "the manifest cannot be written"
}
