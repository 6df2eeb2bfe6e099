# shellcheck shell=sh
# HAProxy's part of the arrows. The flag files are the truth; from them the map is made that HAProxy
# reads when it starts, and its runtime API sets the same line in the running process.

# runtime COMMAND: what HAProxy answers. From within its container, where the API listens on
# 127.0.0.1 alone; the official images have bash (Debian) or BusyBox's nc (Alpine).
runtime() {
	docker exec "$(proxy_container)" sh -c '
		if command -v bash >/dev/null; then
			exec bash -c "exec 3<>/dev/tcp/127.0.0.1/9999 && printf \"%s\n\" \"\$1\" >&3 && cat <&3" headway "$1"
		fi
		printf "%s\n" "$1" | nc 127.0.0.1 9999' headway "$1" 2>/dev/null
}

# proxy_prepare: the map is there before HAProxy starts, which refuses to without it.
proxy_prepare() {
	write_map
}

write_map() {
	of_release service | while read -r name order _; do
		[ "$order" = start-first ] && echo "$name $(live_slot "$name")"
	done >"$state/proxy/slots.map.new"
	mv -f "$state/proxy/slots.map.new" "$state/proxy/slots.map"
}

# proxy_flip SERVICE SLOT: not before HAProxy has found the slot's containers, which takes its
# resolver a second.
proxy_flip() {
	found=yes
	if [ -z "$(proxy_container)" ]; then
		write_map
		return 0
	fi
	see_slot "$1" "$2" || found=no
	write_map
	case $(runtime "set map /etc/headway/slots.map $1 $2") in
	*"not found"*) runtime "add map /etc/headway/slots.map $1 $2" >/dev/null ;;
	esac
	if [ "$(mapped "$1")" != "$2" ]; then
		[ $found = no ] || reason="HAProxy did not take the slot $2 of $1"
		return 1
	fi
	[ $found = yes ]
}

mapped() {
	runtime "show map /etc/headway/slots.map" | awk -v name="$1" '$2 == name { print $3 }'
}

# see_slot SERVICE SLOT: HAProxy has a server that is up for each of the slot's containers.
see_slot() {
	began=$(now)
	while :; do
		unseen=
		detail=$(runtime "show servers state $1")
		case $detail in *srv_name*) ;; *)
			[ "$(now)" -lt $((began + 500)) ] || {
				reason="HAProxy says nothing of a backend $1: does it run with -f /etc/headway?"
				return 1
			}
			sleep 0.2
			continue
			;;
		esac
		for id in $(running_in "$1" "$2"); do
			ip=$(docker inspect -f '{{with index .NetworkSettings.Networks "'"$network"'"}}{{.IPAddress}}{{end}}' "$id")
			printf '%s\n' "$detail" | awk -v ip="$ip" -v slot="^$2[0-9]+\$" '
				$4 ~ slot && $5 == ip && $6 == 2 && $7 == 0 { seen = 1 }
				END { exit !seen }' || unseen=$ip
		done
		[ -n "$unseen" ] || break
		if [ "$(now)" -gt $((began + 1500)) ]; then
			reason="HAProxy has not found the slot $2 of $1 ($unseen) within 15 s"
			return 1
		fi
		sleep 0.2
	done
	detail=
}

# proxy_inflight SERVICE SLOT PORT: requests that the slot has not answered yet, websockets included.
proxy_inflight() {
	[ -n "$(proxy_container)" ] || {
		echo 0
		return
	}
	if answer=$(runtime "show stat $1 4 -1") && [ -n "$answer" ]; then
		printf '%s\n' "$answer" | awk -F, -v slot="^$2[0-9]+\$" '
			$2 ~ slot { open += $3 + $5 }
			END { print open + 0 }'
	else
		echo unknown
	fi
}
