# shellcheck shell=sh
# Copies of a backup that leave its host. Beside what backup.sh needs, nothing is set.

# encrypted KEY: one file, encrypted to a public key, that all copies are made from.
encrypted() {
	scratch
	umask 077
	command -v age >/dev/null 2>&1 ||
		fail "there is no age on this host: apt-get install age, or leave backup.encrypt_to out"
	part=$backups/$name.dump.age.partial
	if ! age -r "$1" <"$backups/$name.dump" >"$part" 2>"$errors" || ! sync "$part" 2>"$errors"; then
		rm -f "$part"
		fail "age could not encrypt the backup" "$(last_lines)"
	fi
	mv -f "$part" "$backups/$name.dump.age"
	say encrypted bytes "$(wc -c <"$backups/$name.dump.age")" \
		sha256 "$(sha256sum <"$backups/$name.dump.age" | cut -d' ' -f1)"
}

# sent FILE SHA256 COMMAND READ_BACK: the owner's command reads the file; what the other one prints
# afterwards, if there is one, has to be the same.
sent() {
	scratch
	(cd "$dir" && timeout -k 5 "$limit" sh -c "$3") <"$backups/$1" >"$errors" 2>&1
	code=$?
	[ "$code" -eq 0 ] || fail "the command for the copy ended with exit code $code" "$(last_lines)"
	[ -n "$4" ] || return 0
	came=$({
		(cd "$dir" && timeout -k 5 "$limit" sh -c "$4") </dev/null 2>"$errors"
		echo $? >"$errors.code"
	} | sha256sum | cut -d' ' -f1)
	code=$(cat "$errors.code")
	rm -f "$errors.code"
	[ "$code" -eq 0 ] || fail "read_back ended with exit code $code" "$(last_lines)"
	[ "$came" = "$2" ] || fail "the copy is not what was sent: its SHA-256 is $came, and should be $2"
	say same
}
