# shellcheck shell=sh
# switched → settled: the old containers have answered what they had and are gone, and what plain
# `docker compose` reads on this host is the new release.

settle() {
	if [ ! -f "$state/next" ] && [ "$(current)" = "$release" ]; then
		say settled
		return 0
	fi
	if [ "$(next_of release)" != "$release" ]; then
		say failed reason "$release is not switched on this host"
		return 1
	fi
	case $(next_of phase) in
	settling) ;;
	# A switch that was cut off may not have come to the flag, and one that failed took it back.
	switched) each_service is_switched || set -- no ;;
	*) set -- no ;;
	esac
	if [ "${1-}" = no ]; then
		say failed reason "$release is not switched on this host"
		return 1
	fi
	if ! settle_next "$release"; then
		say failed reason "$reason" detail "$detail"
		return 1
	fi
}

# place: for a host that rolls nothing there is only what plain `docker compose` reads.
place() {
	promote "$release"
	touch "$state/releases/$release"
	journal settled
	forget
	say settled
}

is_switched() {
	[ "$2" = start-first ] || return 0
	[ "$(live_slot "$1")" = "$3" ] && proxy_flip "$1" "$3"
}

# settle_next RELEASE: what `next` wants, which may be the end of another deploy's roll.
settle_next() {
	phase settling
	each_service drain_service || return 1
	promote "$1"
	touch "$state/releases/$1"
	journal_next settled
	rm -f "$state/next"
	forget
	say settled
}

drain_service() {
	[ "$2" = start-first ] || return 0
	old=$(other "$3")
	# Whoever has typed `docker compose down` or `up` meanwhile: something must be left that serves.
	have_in_slot "$(next_of release)" "$1" "$3" "$6" || return 1
	began=$(now)
	left=0
	[ -z "$(seen_in "$old")" ] || drain "$1" "$old" "$4" $((began + $5 * 100))
	[ "$left" = 0 ] || say warned text "$1: $left requests were still open after $5 s and are cut"
	say drained service "$1" hundredths "$(($(now) - began))"
	stop_containers "$1" "$(containers "$1" | awk -v new="$3" '$2 != new { print $1 }')"
}

# promote RELEASE: .env comes last, since it says which release the host is on.
promote() {
	from=$state/releases/$1
	if [ -d "$from/beside" ]; then
		(cd "$from/beside" && find . -type f) | while read -r file; do
			cmp -s "$from/beside/$file" "$dir/$file" && continue
			mkdir -p "$dir/$(dirname "$file")"
			# In place and not by rename: a container that binds the file keeps seeing this inode.
			cat "$from/beside/$file" >"$dir/$file"
		done
	fi
	replace_file "$from/host.yaml" "$state/host.yaml"
	replace_file "$from/compose.yaml" "$dir/compose.yaml"
	replace_file "$from/.env" "$dir/.env"
}

replace_file() {
	cp -p "$1" "$2.new" && sync "$2.new" && mv -f "$2.new" "$2"
}

# forget: keep the newest releases, and those that this host was on last, with their images; old ones
# would fill the disk in months. What was only tried is among the newest, and not among the last:
# however many deploys have failed since, what a rollback goes to is still here.
forget() {
	find "$state/run" -type f -mmin +1440 -delete 2>/dev/null
	# shellcheck disable=SC2012 # a release's name has no blanks: it is checked before it comes here
	kept=" $release $(current) $({
		ls -1t "$state/releases" | head -n "$keep"
		settled_here | head -n "$keep"
	} | tr '\n' ' ')"
	for folder in "$state/releases"/*; do
		id=${folder##*/}
		case $kept in *" $id "*) continue ;; esac
		images=$(sed -n 's/^# image //p' "$folder/.env")
		rm -rf "${folder:?}"
		for image in $images; do
			grep -qF "# image $image" "$state"/releases/*/.env || docker image rm "$image" >/dev/null 2>&1
		done
	done
}

# settled_here: the releases that this host has been on, the last one first, by its own journal; not
# those from which it was taken back.
settled_here() {
	awk -F '"' '
		$20 != "what" || $22 != "settled" { next }
		$14 == "revert" && on != $18 { bad[on] = 1 }
		$14 != "revert" { delete bad[$18] }
		{ on = $18; at[on] = NR; order[NR] = on }
		END { for (n = NR; n > 0; n--) if (n in order && at[order[n]] == n && !(order[n] in bad)) print order[n] }
	' "$state/journal.jsonl"
}
