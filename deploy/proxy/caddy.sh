# shellcheck shell=sh
# Caddy's part of the arrows. The flag file is all there is to a switch: Caddy looks at it for every
# request, so nothing is reloaded, no connection is closed, and no websocket is dropped.

proxy_prepare() { :; }

proxy_flip() { :; }

# proxy_inflight SERVICE SLOT PORT: requests that the slot has not answered yet, websockets included.
proxy_inflight() {
	proxy=$(proxy_container)
	[ -n "$proxy" ] || {
		echo 0
		return
	}
	api=http://localhost:2019/reverse_proxy/upstreams
	if answer=$(docker exec "$proxy" sh -c "wget -qO- $api 2>/dev/null || curl -fsS $api" 2>/dev/null); then
		printf '%s' "$answer" | tr '{' '\n' | sed -n "s/.*\"address\":\"$1-$2:$3\".*\"num_requests\":\([0-9]*\).*/\1/p" |
			awk '{ open += $1 } END { print open + 0 }'
	else
		echo unknown
	fi
}
