# shellcheck shell=sh
# staged or switched → settled as before: the flag names the old slot again, and what was started is
# gone. With nothing unfinished on the host it does nothing.

abandon() {
	if [ ! -f "$state/next" ]; then
		say abandoned
		return 0
	fi
	if [ "$(next_of phase)" = settling ]; then
		say failed reason "the old containers are going already: the way on is to settle"
		return 1
	fi
	journal "${1:-reverted}" "${2-}"
	if ! undo_next; then
		say failed reason "$reason" detail "$detail"
		return 1
	fi
	say abandoned
}

# switch_back: only the flags, at once; the containers stay for `abandon`.
switch_back() {
	[ "$(next_of phase)" = switched ] || return 0
	each_service flip_service_back && phase staged
}

undo_next() {
	was=$(next_of phase)
	each_service undo_service && rm -f "$state/next"
}

undo_service() {
	if [ "$2" = stop-first ]; then
		[ "$was" = staging ] || put_back "$1" "$6" "$4" "$7"
		return
	fi
	old=$(other "$3")
	have_live "$1" "$old" "$6" || return 1
	[ "$(live_slot "$1")" = "$old" ] || flip "$1" "$old"
	end=$(($(now) + $5 * 100))
	if [ "$4" != - ] && [ "$was" != staging ] && [ -n "$(in_slot "$1" "$3")" ]; then
		until [ "$(proxy_inflight "$1" "$3" "$4")" = 0 ] || [ "$(now)" -ge "$end" ]; do
			sleep 0.2
		done
	fi
	# shellcheck disable=SC2046 # one word for each id
	remove $(containers "$1" | awk -v old="$old" '$2 != old { print $1 }')
}

# have_live SERVICE SLOT REPLICAS: the slot to go back to has running containers. Where it has none,
# somebody has worked by hand in the middle of the roll: what runs the promoted release is taken, or
# started. On a first deploy there is nothing to go back to.
have_live() {
	back=$(current)
	if [ -z "$back" ] || containers "$1" | grep -q " $2 running "; then
		return 0
	fi
	hash=$(hash_of "$back" "$1")
	ids=$(containers "$1" | awk -v hash="$hash" '$2 == "none" && $3 == "running" && $8 == hash { print $1 }')
	if [ -z "$ids" ]; then
		before=$(containers "$1" | awk '{ print $1 }')
		count=$(printf '%s' "$before" | grep -c .)
		if ! detail=$(compose_of "$back" up -d --no-recreate --no-build --pull never \
			--scale "$1=$((count + $3))" "$1" 2>&1); then
			reason="$1 could not be started again on $back"
			return 1
		fi
		ids=$(containers "$1" | awk '{ print $1 }' | without "$before")
		end=$(($(now) + healthy_deadline))
		for id in $ids; do
			until ready "$id" || [ "$(now)" -gt "$end" ]; do
				sleep 0.2
			done
		done
	fi
	# shellcheck disable=SC2086 # one word for each id
	put_in_slot "$1" "$2" $ids
}

# put_back SERVICE REPLICAS PORT PROBES: what may not overlap runs the promoted release again.
put_back() {
	back=$(current)
	if [ -z "$back" ]; then
		stop_containers "$1" "$(containers "$1" | awk '{ print $1 }')"
		return 0
	fi
	hash=$(hash_of "$back" "$1")
	stop_containers "$1" "$(containers "$1" | awk -v hash="$hash" '$8 != hash { print $1 }')"
	compose_of "$back" up -d --no-recreate --no-build --pull never "$1" >/dev/null 2>&1 || {
		reason="$1 could not be started again on $back" detail=
		return 1
	}
}
