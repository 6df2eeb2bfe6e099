# shellcheck shell=sh
# A forced command for a key that may run Headway's own scripts and nothing else; `inv setup` puts it
# beside authorized_keys. Set above this text: version, and known, a line with the SHA-256 of each
# script and its call. What arrives is judged as text: it is run only once it is known to be a deadline,
# settings that are words in quotes, a script that is known to the letter, and a call of one of its
# functions with words in quotes.

# gate FOLDER: the application's folder, the only one that settings may name.
gate() {
	sum=$(judged "$1" | sha256sum)
	# Whole lines: where a program is missing there is no sum, and nothing is let through.
	case "
$known
" in
	*"
${sum%% *}
"*) exec sh -c "$SSH_ORIGINAL_COMMAND" ;;
	esac
	echo "headway gate: this key may run the scripts of Headway $version for $1, and this is none of them" >&2
	exit 77
}

# judged FOLDER: the script without its settings and the words of its call, as it is hashed; nothing, where
# a part of the command is not what Headway writes.
judged() {
	LC_ALL=C awk -v folder="$1" '
	# word(): takes one word off the front of s, as shlex.quote writes it; its value is w.
	function word(  n) {
		w = ""
		if (match(s, /^[A-Za-z0-9_@%+=:,.\/-]+/)) {
			w = substr(s, 1, RLENGTH)
			s = substr(s, RLENGTH + 1)
			return 1
		}
		while (substr(s, 1, 1) == "\047") {
			s = substr(s, 2)
			n = index(s, "\047")
			if (!n) return 0
			w = w substr(s, 1, n - 1)
			s = substr(s, n + 1)
			if (substr(s, 1, 3) != "\"\047\"") return 1
			w = w "\047"
			s = substr(s, 4)
		}
		return 0
	}
	function out_of_place() { return w ~ /(^|\/)\.\.(\/|$)/ }
	# words(): whether s is words to its end, each after a blank.
	function words() {
		while (s != "") {
			if (substr(s, 1, 1) != " ") return 0
			s = substr(s, 2)
			if (!word() || out_of_place()) return 0
		}
		return 1
	}
	BEGIN {
		s = ENVIRON["SSH_ORIGINAL_COMMAND"]
		n = length(s) - 9
		if (substr(s, n + 1) != "; exit $?") exit
		s = substr(s, 1, n)
		if (!match(s, /^timeout -k 5 [0-9]+\.[0-9]+s sh -c /)) exit
		s = substr(s, RLENGTH + 1)
		if (!word()) exit
		text = w
		if (!words()) exit

		s = text
		while (match(s, /^[a-z][a-z0-9_]*=/)) {
			before = s
			name = substr(s, 1, RLENGTH - 1)
			s = substr(s, RLENGTH + 1)
			if (substr(s, 1, 1) == "\n" || !word() || substr(s, 1, 1) != "\n") {
				s = before
				break
			}
			s = substr(s, 2)
			if (name == "dir" && w != folder) exit
			# A reason is free text, which is written down and no more.
			if (name == "why") continue
			if (out_of_place() || (w ~ /^\// && w != folder && index(w, folder "/") != 1)) exit
		}

		mark = "\n# headway\n"
		at = index(s, mark)
		fixed = at ? substr(s, 1, at - 1) : s
		call = at ? substr(s, at + length(mark)) : ""
		s = call
		locked = ""
		n = length(s) - 11
		if (substr(s, 1, 6) == "begin\n" && substr(s, n + 1) == "\nfinish $?\n") {
			s = substr(s, 7, n - 6)
			locked = "begin "
		} else if (substr(s, length(s)) == "\n") s = substr(s, 1, length(s) - 1)
		if (match(s, /^[a-z_]+/)) {
			called = substr(s, 1, RLENGTH)
			s = substr(s, RLENGTH + 1)
			if (words()) call = locked called
		}
		printf "%s%s%s", fixed, mark, call
	}'
}
