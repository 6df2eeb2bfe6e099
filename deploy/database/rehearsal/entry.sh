# shellcheck shell=sh
# What runs in the container of a throw-away server, as its first process: the server, and a guard that
# ends it at a deadline or when a bound is passed, whatever has become of whoever asked for it. When
# this process ends, Docker removes the container (`docker run --rm`).

home=/tmp/headway

# over WHY: every other process ends, and memory and disk are free again at once; the reason stays for
# a while, to be read.
over() {
	printf '%s\n' "$1" >"$home/why"
	# All that this process may signal, which spares the first one: itself.
	kill -s KILL -- -1 2>/dev/null
	rm -rf "$home/data"
	sleep "$linger"
	exit 1
}

uptime() {
	read -r since _ </proc/uptime
	printf '%s' "${since%.*}"
}

# mb KB: in words, and in powers of 1000 as Docker has them.
mb() {
	printf '%s MB' "$((($1 * 1024 + 500000) / 1000000))"
}

last_words() {
	tail -n 5 "$home/log" 2>/dev/null
}

# short_of_memory: has the kernel killed a process of this container? In version 2 of cgroups, or 1.
short_of_memory() {
	cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null |
		awk '$1 == "oom_kill" && $2 > 0 { found = 1 } END { exit !found }'
}

# in_use: is anything in the container that came from outside, by `docker exec`? Only that has no parent.
in_use() {
	[ "$(grep -lE '^PPid:[[:space:]]+0$' /proc/[0-9]*/status 2>/dev/null | wc -l)" -gt 1 ]
}

# guard: look at what is used up.
guard() {
	if in_use; then used_at=$(uptime); fi
	[ "$(($(uptime) - used_at))" -lt "$idle" ] || over "nobody has used it for $idle s"
	[ "$(uptime)" -lt "$end" ] || over "it was given $seconds s, and they are over"
	used=$(du -sk "$home" 2>/dev/null | cut -f1)
	[ "${used:-0}" -le "$disk_kb" ] ||
		over "it used $(mb "$used") of disk, and may use $(mb "$disk_kb")"
	free=$(df -Pk "$home" | awk 'NR == 2 { print $4 }')
	[ "${free:-$reserve_kb}" -ge "$reserve_kb" ] ||
		over "the disk has $(mb "$free") free, and $(mb "$reserve_kb") are to stay so"
}

# serve USER DISK_KB RESERVE_KB SECONDS IDLE LINGER MEMORY_KB LOCKS PRELOAD
serve() {
	disk_kb=$2 reserve_kb=$3 seconds=$4 idle=$5 linger=$6
	used_at=$(uptime) end=$(($(uptime) + seconds))
	trap 'exit 0' TERM INT
	umask 077
	mkdir "$home" || exit 1
	for folder in /usr/lib/postgresql/*/bin; do PATH=$PATH:$folder; done
	command -v initdb >/dev/null || over "there is no initdb in the image: it has no PostgreSQL server"
	initdb -D "$home/data" -U "$1" -A trust -E UTF8 --locale=C --no-sync >"$home/log" 2>&1 ||
		over "initdb failed: $(last_words)"
	# Nothing of this has to outlive a crash. Only who is in the container reaches it: there is no
	# network but the loopback. A server that lost a process to the kernel is not to begin again. Up to
	# four sessions restore, so what one may take to build an index is a small part of the memory.
	postgres -D "$home/data" -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp \
		-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off \
		-c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=256MB -c checkpoint_timeout=1h \
		-c shared_buffers="$(($7 / 4))kB" -c maintenance_work_mem="$(($7 / 16))kB" \
		-c max_connections=50 -c restart_after_crash=off \
		-c max_locks_per_transaction="$8" -c shared_preload_libraries="$9" \
		-c lc_messages=C >>"$home/log" 2>&1 </dev/null &
	server=$!
	while kill -0 "$server" 2>/dev/null; do
		guard
		sleep 0.5
	done
	! short_of_memory || over "it needed more than its $(mb "$7") of memory"
	over "PostgreSQL has ended: $(last_words)"
}
