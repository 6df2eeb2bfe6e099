# shellcheck shell=sh
# What is kept of a run after its end, beside its record on the host that keeps the lease. Needs lib.sh
# and lease.sh. No lock is taken: each run writes a file of its own and gives it its name last.
#
# What is kept in .headway/lease/:
#   stories/ID.json.gz  the story of a run, for its owner alone: it says what hosts have said

stories=$lease/stories
KEEP_STORIES=100
LONGEST_DIFF=65536

# is_name WORD: may it be a part of a file's name here?
is_name() {
	case $1 in
	'' | .* | *[!A-Za-z0-9._-]*)
		say failed reason "$1 is the id of no run"
		return 1
		;;
	esac
}

# story_put ID BYTES: what comes on standard input, if it is so long; the newest are kept. Names begin
# with the time.
story_put() {
	is_name "$1" || return 0
	new=$stories/.$1.$$
	if ! detail=$(
		umask 077
		{ mkdir -p "$stories" && cat >"$new" && sync "$new"; } 2>&1
	); then
		rm -f "$new"
		say failed reason "it could not be written: $detail"
		return 0
	fi
	if [ "$(wc -c <"$new")" -ne "$2" ]; then
		rm -f "$new"
		say failed reason "it did not arrive whole"
		return 0
	fi
	mv -f "$new" "$stories/$1.json.gz"
	# What others were writing when they were cut off.
	find "$stories" -name '.*' -type f -mmin +60 -exec rm -f {} +
	# shellcheck disable=SC2012 # our own names
	ls -r "$stories" | tail -n "+$((KEEP_STORIES + 1))" | while read -r name; do
		rm -f "$stories/$name"
	done
	say kept
}

# story_list: the ids of the stories, and of each record the lines that begin a run.
story_list() {
	# shellcheck disable=SC2012 # our own names
	ls "$stories" 2>/dev/null | sed -n 's/^\([A-Za-z0-9._-]*\)\.json\.gz$/{"event":"kept","id":"\1"}/p'
	for file in "$lease"/records/*.jsonl; do
		[ ! -f "$file" ] || sed -n '/"what":"began"/s/.*/{"event":"began","line":&}/p' "$file"
	done
}

# story_get ID: one story, in base64.
story_get() {
	is_name "$1" || return 0
	[ -f "$stories/$1.json.gz" ] || return 0
	printf '{"event":"story","gz":"%s"}\n' "$(base64 <"$stories/$1.json.gz" | tr -d '\n')"
}

# story_remains RUN: the lines of its record.
story_remains() {
	is_name "$1" || return 0
	file=$lease/records/$1.jsonl
	[ ! -f "$file" ] || sed 's/.*/{"event":"record","line":&}/' "$file"
}

# story_changes BEFORE AFTER: in what the files of two releases differ, as far as they are here: the
# compose file line by line, the environment by the names in it. What a name stands for is compared here
# and goes nowhere.
story_changes() {
	is_name "$1" && is_name "$2" || return 0
	before=$state/releases/$1 after=$state/releases/$2
	[ -f "$before/.env" ] && [ -f "$after/.env" ] || return 0
	diff=$(diff -u -L "compose.yaml of $1" -L "compose.yaml of $2" "$before/compose.yaml" "$after/compose.yaml" |
		LC_ALL=C awk -v room="$LONGEST_DIFF" '
		(room -= length($0) + 1) < 0 { print "… and more"; exit }
		{ print }')
	[ -z "$diff" ] || say compose diff "$diff"
	# Values are as `quoted` of release.py writes them: within single quotes they may have many lines.
	LC_ALL=C awk '
	FNR == 1 { file++; open = 0 }
	open {
		value[file, name] = value[file, name] "\n" $0
		if ($0 ~ /\047$/) open = 0
		next
	}
	match($0, /^[A-Za-z_][A-Za-z0-9_]*=/) {
		name = substr($0, 1, RLENGTH - 1)
		text = substr($0, RLENGTH + 1)
		open = text ~ /^\047[^\047]*$/
		if (name ~ /^(HEADWAY_RELEASE|COMPOSE_PROJECT_NAME|COMPOSE_FILE)$/) next
		value[file, name] = text
		names[name]
	}
	END {
		for (name in names) {
			if (!((1, name) in value)) what = "added"
			else if (!((2, name) in value)) what = "removed"
			else if (value[1, name] "" != value[2, name] "") what = "changed"
			else continue
			printf "{\"event\":\"name\",\"change\":\"%s\",\"name\":\"%s\"}\n", what, name
		}
	}' "$before/.env" "$after/.env"
}
