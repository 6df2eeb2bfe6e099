# shellcheck shell=sh
# Puts the forced command of a gated key beside authorized_keys, and the key's line into it. Set above
# this text: file, the forced command's name; blob, the key in base64, and line, all of its line; both
# are empty where the forced command alone is renewed.

# look: what is there, a word and a value in each line.
look() {
	cd || exit 1
	keys=.ssh/authorized_keys
	echo "sum $([ ! -f ".ssh/$file" ] || sha256sum <".ssh/$file")"
	# Of a key that stands there twice, sshd takes the first line.
	echo "line $([ -n "$line" ] && grep -F " $blob" "$keys" 2>/dev/null | head -n 1 | grep -cxF "$line")"
	echo "open $([ -n "$line" ] && grep -F " $blob" "$keys" 2>/dev/null | grep -cv 'command="')"
	echo "others $(grep -vE '^[[:blank:]]*(#|$)|command="' "$keys" 2>/dev/null | grep -cvF " ${blob:-/}")"
}

# install: the forced command comes on standard input. Each file is whole, before or after.
install() {
	umask 077
	cd && mkdir -p .ssh && cat >".ssh/$file.new" && mv -f ".ssh/$file.new" ".ssh/$file" || exit 1
	[ -n "$line" ] || return 0
	keys=.ssh/authorized_keys
	grep -vF " $blob" "$keys" >"$keys.new"
	[ $? -le 1 ] && printf '%s\n' "$line" >>"$keys.new" && sync "$keys.new" && mv -f "$keys.new" "$keys"
}
