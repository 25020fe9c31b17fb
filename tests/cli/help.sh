#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --help, --version and the man page: they fit the screen and say the same.
. "$TEST_TOP/tests/lib/sh.sh"

hv --help
check 'help: status 0, nothing on stderr' 0 '' '^hvrun '
help=$TMPDIR/help
cp "$out" "$help"
lines=$(wc -l <"$help")
if [ "$lines" -le 23 ]; then ok 'help: fits 24 lines with a prompt'; else not_ok 'help: fits 24 lines with a prompt' "$lines lines"; fi
wide=$(awk 'length($0) > 79' "$help")
if [ -z "$wide" ]; then ok 'help: fits 80 columns'; else not_ok 'help: fits 80 columns' "$wide"; fi

for words in '-h' 'doctor --help' 'doctor -h' '-k nothing --help'; do
	# shellcheck disable=SC2086 # words
	hv $words
	if [ "$status" = 0 ] && cmp -s "$out" "$help"; then
		ok "help: hvrun $words is the same"
	else
		not_ok "help: hvrun $words is the same" "status $status"
	fi
done

# Every option, rare ones too.
hv run --help
check 'help of run: status 0, nothing on stderr' 0 '' '^hvrun '
all=$TMPDIR/help-of-run
cp "$out" "$all"
wide=$(awk 'length($0) > 79' "$all")
if [ -z "$wide" ]; then ok 'help of run: fits 80 columns'; else not_ok 'help of run: fits 80 columns' "$wide"; fi
if grep -qe --append-only "$all" && ! grep -qe --append-only "$help"; then ok 'help of run: has rare options'; else not_ok 'help of run: has rare options' ''; fi
if d=$(grep -E '^ +-' "$help" | grep -vxFf "$all"); then not_ok 'help of run: has the common options' "$d"; else ok 'help of run: has the common options'; fi
help=$all

version=$(cat "$TEST_TOP/VERSION")
for words in '--version' 'run --version'; do
	# shellcheck disable=SC2086 # words
	hv $words
	if [ "$status" = 0 ] && [ "$(cat "$out")" = "hvrun $version" ] && [ ! -s "$err" ]; then
		ok "version: hvrun $words"
	else
		not_ok "version: hvrun $words" "status $status, \"$(cat "$out")\", not \"hvrun $version\""
	fi
done

# "-k --kernel FILE" a line: letter, name, value, from --help and from the OPTIONS of the man page.
sed -nE 's/^  (-.), (--[a-z-]+) ?([A-Z,]*).*/\1 \2 \3/p; s/^      (--[a-z-]+) ?([A-Z,]*).*/\1 \2/p' "$help" |
	sed 's/ *$//' | sort >"$TMPDIR/from-help"
sed -nE '/^\.Sh OPTIONS/,/^\.Sh TERMINAL/s/^\.It Fl //p' "$TEST_TOP/docs/hvrun.1" |
	sed -E 's/^(.) (.*), Fl (-[a-z-]+).*/-\1 -\3 \2/; s/^(.) , Fl (-[a-z-]+)/-\1 -\2/; s/^-([a-z-])/--\1/; s/^--(.) /-\1 /; s/ Ar / /g; s/ Ns Oo.*//; s/ *$//; s/  */ /g' |
	sort >"$TMPDIR/from-man"
# What only some architectures have: the page tells of all.
for option in dump-dtb pmu virtio; do
	grep -qE -- "^--$option( |\$)" "$TMPDIR/from-help" || sed -i -E "/^--$option( |\$)/d" "$TMPDIR/from-man"
done
if [ "$(wc -l <"$TMPDIR/from-help")" -lt 12 ]; then
	not_ok 'man page: the options of --help' "only $(wc -l <"$TMPDIR/from-help") were found in --help"
elif d=$(diff "$TMPDIR/from-help" "$TMPDIR/from-man"); then
	ok 'man page: the options of --help'
else
	not_ok 'man page: the options of --help' "$(tr '\n' '|' <<<"$d")"
fi

# What cannot be written is said, not lost.
if [ -w /dev/full ]; then
	for words in --help --version doctor; do
		status=0 err=$TMPDIR/stderr out=/dev/null
		"$HVRUN" $words >/dev/full 2>"$err" || status=$?
		check "full standard output: hvrun $words" 71 '^hvrun: standard output: cannot write'
	done
else
	skip 'full standard output' 'no /dev/full here'
fi

# hvrun ctl: commands and options of --help and of the page.
hv ctl --help
check 'ctl --help' 0 '' '^hvrun ctl SOCKET COMMAND'
sed -nE 's/^  ([a-z]+) +([A-Z]+( [A-Z]+)*)? .*/\1 \2/p' "$out" | sed 's/ *$//' | sort >"$TMPDIR/from-help"
sed -nE 's/^\.It Cm ([a-z]+)( Ar ([A-Z]+( [A-Z]+)*))?$/\1 \3/p' "$TEST_TOP/docs/hvrun-ctl.1" | sed 's/ *$//' | sort >"$TMPDIR/from-man"
if [ "$(wc -l <"$TMPDIR/from-help")" -lt 8 ]; then
	not_ok 'man page: the commands of ctl --help' "only $(wc -l <"$TMPDIR/from-help") were found in --help"
elif d=$(diff "$TMPDIR/from-help" "$TMPDIR/from-man"); then
	ok 'man page: the commands of ctl --help'
else
	not_ok 'man page: the commands of ctl --help' "$(tr '\n' '|' <<<"$d")"
fi
# docs/control.md has a row for each.
missing=
for command in $(cut -d' ' -f1 "$TMPDIR/from-help"); do
	grep -qE "^\| ([a-z]+, )?$command(, [a-z]+)? \|" "$TEST_TOP/docs/control.md" || missing="$missing $command"
done
if [ -z "$missing" ]; then ok 'docs/control.md has every command'; else not_ok 'docs/control.md has every command' "$missing"; fi
hv report --help
check 'report --help' 0 '' '--timeline FILE'
