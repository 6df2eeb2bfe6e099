# shellcheck shell=sh
# Everything that a plan needs to know of a host, read in one go; nothing is changed, nothing locked.
# Set above this text: journal_since; for conclude, the release's commit.

# facts [PATH]...: the paths are those that the compose file binds and that no release brings.
facts() {
	say host user "$(id -un)" arch "$(uname -m)" time "$(date +%s)" name "$(uname -n)"
	for tool in curl flock tar timeout diff cmp; do
		command -v "$tool" >/dev/null 2>&1 || say missing tool "$tool"
	done
	place=$dir
	while [ ! -e "$place" ]; do place=$(dirname "$place"); done
	[ -w "$place" ] && writable=yes || writable=no
	say folder writable "$writable" exists "$([ -d "$dir" ] && echo yes || echo no)" place "$place"
	for place in "$place" /var/lib/docker /var/lib; do
		df -Pk "$place" 2>/dev/null | awk 'NR == 2 { print $4, $6 }' | while read -r free mount; do
			inodes=$(df -Pi "$place" 2>/dev/null | awk 'NR == 2 && $2 > 0 { print $4 }')
			say disk path "$place" mount "$mount" free_kb "$free" free_inodes "$inodes"
		done
	done
	for path in "$@"; do
		[ -e "$dir/$path" ] || say absent path "$path"
	done
	if ! command -v docker >/dev/null 2>&1; then
		say docker problem missing
		return 0
	fi
	if ! version=$(docker version -f '{{.Server.Version}}' 2>&1); then
		say docker problem "$version"
		return 0
	fi
	say docker version "$version"
	if version=$(compose version --short 2>&1); then
		say compose version "$version"
	else
		say compose problem "$version"
		return 0
	fi
	running_facts
}

running_facts() {
	say release_now id "$(current)" fence "$(cat "$state/fence" 2>/dev/null || echo 0)"
	if [ -f "$state/next" ]; then
		say unfinished release "$(next_of release)" deploy "$(next_of deploy)" phase "$(next_of phase)"
	fi
	for flag in "$dir"/slots/*.green; do
		[ -e "$flag" ] || continue
		flag=${flag##*/}
		say slot service "${flag%.green}" live green
	done
	now_on=$state/releases/$(current)
	if [ -n "$(current)" ]; then
		cmp -s "$dir/compose.yaml" "$now_on/compose.yaml" || say edited file compose.yaml
		cmp -s "$dir/.env" "$now_on/.env" || say edited file .env
		cmp -s "$state/host.yaml" "$now_on/host.yaml" || say edited file .headway/host.yaml
		say override sum "$(sha256sum <"$state/host.yaml" | cut -d' ' -f1)" \
			env "$(sha256sum <"$dir/.env" | cut -d' ' -f1)"
		hashes_by "$now_on" compose_of - | while read -r service hash; do
			say hash service "$service" hash "$hash"
		done
	fi
	listed=$(listed_containers)
	# shellcheck disable=SC2086 # one word for each id
	known=$([ -z "$listed" ] || docker inspect -f \
		'{"event":"container","id":{{json .ID}},"service":{{json (index .Config.Labels "com.docker.compose.service")}},'\
'"state":{{json .State.Status}},"health":{{with .State.Health}}{{json .Status}}{{else}}""{{end}},'\
'"restarts":{{json .RestartCount}},"exit":{{json .State.ExitCode}},'\
'"policy":{{json .HostConfig.RestartPolicy.Name}},'\
'"started":{{json .State.StartedAt}},"image":{{json .Config.Image}},'\
'"hash":{{json (index .Config.Labels "com.docker.compose.config-hash")}},'\
'"aliases":{{with index .NetworkSettings.Networks "'"$network"'"}}{{json .Aliases}}{{else}}[]{{end}}}' \
		$listed 2>/dev/null || :)
	[ -z "$known" ] || printf '%s\n' "$known"
	# What nobody knows any more went between the two questions, or is on Docker's list for good.
	for id in $listed; do
		case $known in
		*"$id"*) ;;
		*) ! listed_containers | grep -qx "$id" || say lost id "$id" ;;
		esac
	done
	for file in "$state"/releases/*/release.json; do
		[ -f "$file" ] && printf '{"event":"release","release":%s}\n' "$(cat "$file")"
	done
	[ ! -f "$state/journal.jsonl" ] || journal_lines | sed 's/.*/{"event":"journal","line":&}/'
	return 0
}

listed_containers() {
	docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$project" \
		--filter label=com.docker.compose.oneoff=False
}

# journal_lines: the last 200, and those of $journal_since or later, if it is set: 2026-01-02T03:04:05Z.
journal_lines() {
	if [ -z "$journal_since" ]; then
		tail -n 200 "$state/journal.jsonl"
	else
		awk -v since="$journal_since" -v before="$(wc -l <"$state/journal.jsonl")" '
		NR + 200 > before || substr($0, index($0, "\"at\":\"") + 6, 20) >= since' "$state/journal.jsonl"
	fi
}

# conclude: the deploy has come to its end here; then what is, so that it can be seen to be right.
conclude() {
	extra=${commit:+,\"commit\":\"$(quote "$commit")\"}
	journal "done"
	facts "$@"
}
