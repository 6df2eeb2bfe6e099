# shellcheck shell=sh
# The lease of an environment, on the one host that keeps it: who may change the environment, until
# when, and what they have done with it. Needs lib.sh. The caller has set, beside what that needs:
#   run ttl owner machine pid url why floor
#
# What is kept in .headway/lease/:
#   token            the highest number that was ever given; the file only grows in value
#   now              one line of JSON: the lease that somebody has, if anybody has it
#   broken           there, when a lease was taken away from somebody who may still be at work
#   preempt          somebody waits for it, and asks its owner to stop
#   hold             one line of JSON: held by a person, with a reason, until they give it back
#   records/RUN.jsonl  what was done in each run

lease=$state/lease
KEEP_RECORDS=100

# One at a time; whoever has the lock writes whole files and renames them.
lease_lock() {
	[ -d "$lease/records" ] || mkdir -p "$lease/records" 2>/dev/null || {
		say failed reason "cannot write to $dir: is it there, and does it belong to $(id -un)?"
		exit 0
	}
	exec 8>>"$lease/lock"
	flock -w 20 8 || {
		say failed reason "another one has kept the lock of the lease for 20 s"
		exit 0
	}
}

# put FILE: what comes on standard input, on the disk before it has the name.
put() {
	cat >"$1.new" && sync "$1.new" && mv -f "$1.new" "$1" && sync "$lease"
}

# number NAME [FILE]: of a line that this file has written. A quote within a value is \", so that
# nothing in a value can look like a key. A run asks before each of its changes: no process for it.
number() {
	after "$1" : "${2:-$lease/now}" && printf '%s' "${found%%[!0-9]*}"
}

word() {
	after "$1" ':"' "${2:-$lease/now}" && printf '%s' "${found%%\"*}"
}

# after NAME MARKS FILE: sets found to what stands after them, to the line's end.
after() {
	found=
	{ read -r line <"$3"; } 2>/dev/null || return 1
	found=${line#*\""$1"\""$2"}
	[ "$found" != "$line" ]
}

# seconds: since this host was started. Nobody sets that clock; after a restart it begins anew, and the
# lease with it: its owner has as long as ever to be heard of.
seconds() {
	read -r uptime _ </proc/uptime
	printf '%s' "${uptime%.*}"
}

boot() {
	read -r id </proc/sys/kernel/random/boot_id
	printf '%s' "$id"
}

# age: seconds since its owner was last heard of.
age() {
	if [ "$(word boot)" = "$(boot)" ]; then
		echo $(($(seconds) - $(number renewed)))
	else
		seconds
	fi
}

# lease_is: free, ours, alive, or expired.
lease_is() {
	if [ ! -f "$lease/now" ]; then
		echo free
	elif [ "$(word run)" = "$run" ]; then
		echo ours
	elif [ "$(age)" -le "$(number ttl)" ]; then
		echo alive
	else
		echo expired
	fi
}

# newer: a later Headway has written what is here. What it means there is not guessed at, and stays.
newer() {
	for file in "$lease/now" "$lease/hold"; do
		case $(number v "$file") in '' | 1) ;; *) return 0 ;; esac
	done
	return 1
}

# tell EVENT FILE [KEY VALUE]...: an event with the line of JSON that is in a file.
tell() {
	event=$1 file=$2
	shift 2
	more=
	while [ $# -gt 1 ]; do
		more="$more,\"$1\":\"$(quote "$2")\""
		shift 2
	done
	printf '{"event":"%s","lease":%s%s}\n' "$event" "$(cat "$file")" "$more"
}

# write_lease TOKEN SINCE
write_lease() {
	printf '{"v":1,"token":%s,"run":"%s","boot":"%s","renewed":%s,"ttl":%s,"pid":%s,"owner":"%s","machine":"%s","url":"%s","reason":"%s","since":"%s"}\n' \
		"$1" "$run" "$(boot)" "$(seconds)" "$ttl" "$pid" "$(quote "$owner")" "$(quote "$machine")" \
		"$(quote "$url")" "$(quote "$why")" "$2" | put "$lease/now"
}

# open_records: those of runs that have not come to an end, the oldest first.
open_records() {
	for file in "$lease"/records/*.jsonl; do
		[ -f "$file" ] || continue
		[ "$file" != "$lease/records/$run.jsonl" ] || continue
		tail -n 1 "$file" | grep -q '"what":"ended"' && continue
		sed 's/.*/{"event":"record","line":&}/' "$file"
	done
}

# Names begin with the time, so that the oldest come first.
forget_old_records() {
	# shellcheck disable=SC2012 # our own names
	ls -r "$lease/records" | tail -n "+$((KEEP_RECORDS + 1))" | while read -r name; do
		rm -f "$lease/records/$name"
	done
}

# lease_take: says taken, held, busy or newer. Asked again by the same run, it says the same again.
lease_take() {
	lease_lock
	if newer; then
		say newer
		return 0
	fi
	was=$(lease_is)
	if [ "$was" = ours ]; then
		say taken token "$(number token)" was "$(word was "$lease/given")"
		open_records
		return 0
	fi
	if [ -f "$lease/hold" ] && [ "$(word by "$lease/hold")" != "$(quote "$owner")" ]; then
		tell held "$lease/hold"
		return 0
	fi
	if [ "$was" = alive ]; then
		tell busy "$lease/now" age "$(age)"
		return 0
	fi
	[ "$was" != expired ] || tell expired "$lease/now" age "$(age)"
	[ "$was" != free ] || [ ! -f "$lease/broken" ] || was=broken
	token=$(($(cat "$lease/token" 2>/dev/null || echo 0) + 1))
	echo $token | put "$lease/token"
	printf '{"was":"%s"}\n' "$was" | put "$lease/given"
	write_lease $token "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
	rm -f "$lease/broken" "$lease/preempt"
	forget_old_records
	say taken token "$token" was "$was"
	open_records
}

# lease_raise: the same lease under a number above $floor, which some host has seen from another keeper.
lease_raise() {
	lease_lock
	[ "$(lease_is)" = ours ] || return 0
	token=$((floor + 1))
	echo $token | put "$lease/token"
	write_lease $token "$(word since)"
	say taken token $token
}

# lease_renew: its owner is still there. What comes on standard input goes into the run's record, also
# when the lease was lost meanwhile: it has been done.
lease_renew() {
	lease_lock
	append_record
	if [ "$(lease_is)" != ours ]; then
		if [ -f "$lease/now" ]; then tell lost "$lease/now"; else say lost; fi
		return 0
	fi
	# A record is written before each change; every second of them comes right after another.
	[ "$(age)" -lt $((ttl / 8)) ] || write_lease "$(number token)" "$(word since)"
	if [ -f "$lease/preempt" ]; then tell asked "$lease/preempt"; fi
	say renewed
}

# append_record: what comes on standard input, and the name of a new record, are on the disk; or it says so.
append_record() {
	file=$lease/records/$run.jsonl
	came=$(cat)
	[ -n "$came" ] || return 0
	new=
	[ -f "$file" ] || new=$lease/records
	if ! { printf '%s\n' "$came" >>"$file" && sync "$file" ${new:+"$new"}; }; then
		say failed reason "cannot write the record of this run to $dir"
	fi
}

# lease_release: the last lines of the record, and the lease is free.
lease_release() {
	lease_lock
	append_record
	[ "$(lease_is)" = ours ] || return 0
	rm -f "$lease/now" "$lease/preempt"
	sync "$lease"
	say released
}

# lease_leave: its owner must go at once, and what is at work on the hosts comes to its end there.
lease_leave() {
	lease_lock
	append_record
	[ "$(lease_is)" = ours ] || return 0
	rm -f "$lease/now" "$lease/preempt"
	: >"$lease/broken"
	sync "$lease"
	say released
}

# lease_close RUN: what that run has left has come to its end.
lease_close() {
	lease_lock
	file=$lease/records/$1.jsonl
	[ -f "$file" ] || return 0
	printf '{"v":1,"n":0,"at":"%s","run":"%s","what":"ended","outcome":"recovered","by":"%s"}\n' \
		"$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$run" >>"$file"
	sync "$file"
}

# lease_ask: ask the owner of a live one to stop.
lease_ask() {
	lease_lock
	[ "$(lease_is)" = alive ] || return 0
	printf '{"by":"%s","reason":"%s"}\n' "$(quote "$owner")" "$(quote "$why")" | put "$lease/preempt"
	tell told "$lease/now"
}

# lease_break [force]: take it away from whoever has it or holds it; without force not from a run that is
# at work by now, nor from another person, and then it says busy or held. What was begun on a host goes on
# to its end there; the next one waits for that.
lease_break() {
	lease_lock
	if [ "${1-}" != force ]; then
		if [ "$(lease_is)" = alive ]; then
			tell busy "$lease/now" age "$(age)"
			return 0
		fi
		if [ -f "$lease/hold" ] && [ "$(word by "$lease/hold")" != "$(quote "$owner")" ]; then
			tell held "$lease/hold"
			return 0
		fi
	fi
	if [ -f "$lease/now" ]; then
		rm -f "$lease/now" "$lease/preempt"
		: >"$lease/broken"
	fi
	rm -f "$lease/hold"
	sync "$lease"
	say broken
}

# lease_hold: nobody else changes the environment until it is given back.
lease_hold() {
	lease_lock
	if newer; then
		say newer
		return 0
	fi
	if [ -f "$lease/hold" ] && [ "$(word by "$lease/hold")" != "$(quote "$owner")" ]; then
		tell held "$lease/hold"
		return 0
	fi
	printf '{"v":1,"by":"%s","reason":"%s","since":"%s"}\n' "$(quote "$owner")" "$(quote "$why")" \
		"$(date -u +%Y-%m-%dT%H:%M:%SZ)" | put "$lease/hold"
	lease_show_locked
}

# lease_show: says holding for what somebody has, alive or expired, and held.
lease_show() {
	[ -d "$lease" ] || return 0
	lease_show_locked
}

lease_show_locked() {
	[ ! -f "$lease/hold" ] || tell held "$lease/hold"
	[ ! -f "$lease/now" ] || tell holding "$lease/now" age "$(age)" is "$(lease_is)"
	open_records
}
