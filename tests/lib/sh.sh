# SPDX-License-Identifier: BSD-2-Clause
# Sourced by shell tests (bash): . "$TEST_TOP/tests/lib/sh.sh"
#
# tests/run gives them TEST_TOP (the top folder, also the working folder), TMPDIR (a scratch folder
# removed afterwards), HVRUN (the binary), HVRUN_SANITIZER (asan, tsan, cov: builds without a
# sandbox; or unset), GUESTS (folder of bare-metal guests) and HVRUN_TEST_LONG. Each case ends with
# ok, not_ok or skip.
set -u
: "${TEST_TOP:=$PWD}" "${TMPDIR:=/tmp}"

ok() { printf 'ok %s\n' "$1"; }
not_ok() { printf 'not ok %s: %s\n' "$1" "$2"; }
skip() { printf 'skip %s: %s\n' "$1" "$2"; }

# skip_all WHY: the whole script cannot run here.
skip_all() {
	skip "$(basename "$0" .sh)" "$1"
	exit 0
}

# need_kvm: leaves with a skip where /dev/kvm is missing or may not be used.
need_kvm() {
	[ -e /dev/kvm ] || skip_all 'there is no /dev/kvm here'
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all '/dev/kvm may not be opened by this user'
}

# hv [-t SECONDS] ARG...: runs hvrun. Leaves its exit status in $status, standard output in $out (a
# file), standard error in $err (a file). A run that takes longer than SECONDS (300) is killed; its
# status is then "hung".
hv() {
	local limit=300
	if [ "${1:-}" = -t ]; then
		limit=$2
		shift 2
	fi
	run_command "$limit" "$HVRUN" "$@"
}

# run_command SECONDS COMMAND [ARG...]: as hv, for any command.
run_command() {
	local limit=$1
	shift
	out=$TMPDIR/stdout err=$TMPDIR/stderr status=0
	timeout -k 2 "$limit" "$@" >"$out" 2>"$err" </dev/null || status=$?
	# 124 is also hvrun's own status for --timeout: then it says so itself.
	if [ "$status" = 137 ] || { [ "$status" = 124 ] && ! grep -q '^hvrun: ' "$err"; }; then
		status=hung
	fi
}

# check NAME STATUS [STDERR-REGEX [STDOUT-REGEX]]: judges the last hv. An empty regex means that
# there must be nothing; one left out means anything. Each line of stderr must begin "hvrun: ".
check() {
	local name=$1 want=$2
	if [ "$status" != "$want" ]; then
		not_ok "$name" "status $status, not $want; stderr: $(head -c 400 "$err" | tr '\n' '|')"
	elif grep -qv '^hvrun: ' "$err"; then
		not_ok "$name" "stderr has a line that is not hvrun's: $(grep -v '^hvrun: ' "$err" | head -n 1)"
	elif [ $# -ge 3 ] && ! matches "$err" "$3"; then
		not_ok "$name" "stderr is not /$3/ but: $(head -c 400 "$err" | tr '\n' '|')"
	elif [ $# -ge 4 ] && ! matches "$out" "$4"; then
		not_ok "$name" "stdout is not /$4/ but: $(head -c 400 "$out" | tr '\n' '|')"
	else
		ok "$name"
		return 0
	fi
	return 1
}

matches() { # matches FILE REGEX
	if [ -z "$2" ]; then
		[ ! -s "$1" ]
	else
		grep -qE -- "$2" "$1"
	fi
}

# one_line NAME: the last hv said exactly one line on standard error.
one_line() {
	local n
	n=$(wc -l <"$err")
	if [ "$n" = 1 ]; then ok "$1"; else not_ok "$1" "$n lines on stderr, not 1: $(tr '\n' '|' <"$err")"; fi
}

# free_port [N]: a port, for TCP and UDP, at which nobody is now, below those that the kernel hands out. By the number of
# this process, so that another test at the same moment takes another one; N, from 0 to 3, is for who wants several.
free_port() {
	local try port hex
	for try in $(seq 0 2999); do
		port=$((20000 + ($$ + try) % 3000 * 4 + ${1:-0}))
		hex=$(printf ':%04X ' $port)
		cat /proc/net/{tcp,udp}{,6} 2>/dev/null | awk '{ print $2 " " }' | grep -qF "$hex" || break
	done
	echo $port
}

# listening SOCKET: somebody listens at this name. That it is there says less: it is from bind(2) on, and until listen(2)
# whoever connects is refused. (hvrun's own are there when they are listened at, under the name of a moment before.)
listening() {
	awk -v name="$1" '$4 == "00010000" && $8 == name { found = 1 } END { exit !found }' /proc/net/unix
}

# options_of_page PAGE N: the section OPTIONS of docs/PAGE has the options that the last hv, a --help, told, N at least.
options_of_page() {
	local d
	sed -nE 's/^  (-.), (--[a-z-]+).*/\1 \2/p; s/^      (--[a-z-]+).*/\1/p' "$out" | sort >"$TMPDIR/from-help"
	sed -nE '/^\.Sh OPTIONS/,/^\.Sh EXIT/s/^\.It Fl //p' "$TEST_TOP/docs/$1" |
		sed -E -e 's/^(.) , Fl (-[a-z-]+).*/-\1 -\2/;t' -e 's/^(-[a-z-]+).*/-\1/' | sort >"$TMPDIR/from-man"
	if [ "$(wc -l <"$TMPDIR/from-help")" -lt "$2" ]; then
		not_ok 'man page: the options of --help' 'no options were found in --help'
	elif d=$(diff "$TMPDIR/from-help" "$TMPDIR/from-man"); then
		ok 'man page: the options of --help'
	else
		not_ok 'man page: the options of --help' "$(tr '\n' '|' <<<"$d")"
	fi
}
