#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun as process 1 of a PID namespace, as in every container: the kernel keeps signals from it that it does not
# handle, its own too, and what it leaves behind is nobody's. Its ends are those of any other process.
. "$TEST_TOP/tests/lib/sh.sh"
need_kvm
command -v unshare >/dev/null || skip_all 'unshare is not installed'
init=(unshare --user --map-root-user --pid --fork --kill-child)
"${init[@]}" true 2>/dev/null || init=(unshare --pid --fork --kill-child)
"${init[@]}" true 2>/dev/null || skip_all 'this host lets us make no PID namespace'
ulimit -c 0

# begin ARG...: hvrun in the background as process 1 of its namespace, from outside $pid; once its guest runs.
begin() {
	: >"$TMPDIR/out"
	: >"$TMPDIR/err"
	# A shell has the programs that it does not wait for ignore SIGQUIT.
	"${init[@]}" env --default-signal=QUIT "$HVRUN" -k "$GUESTS/spin.elf" -m 64M -a sleep "$@" </dev/null >"$TMPDIR/out" 2>"$TMPDIR/err" &
	outer=$!
	until grep -q 'for ever' "$TMPDIR/out" || ! kill -0 $outer 2>/dev/null; do sleep 0.05; done
	pid=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null)
	pid=${pid% }
}

# over NAME STATUS REGEX: it ended so, and said so.
over() {
	local status=0 since=$SECONDS
	while kill -0 $outer 2>/dev/null && [ $((SECONDS - since)) -lt 100 ]; do sleep 0.05; done
	kill -9 $outer 2>/dev/null && kill -9 "$pid"
	wait $outer || status=$?
	if [ $status = "$2" ] && matches "$TMPDIR/err" "$3"; then
		ok "$1"
	else
		not_ok "$1" "status $status: $(tr '\n' '|' <"$TMPDIR/err")"
	fi
}

begin
if [ "$(awk '$1 == "NSpid:" { print $NF }' "/proc/$pid/status")" = 1 ]; then ok 'it is process 1'; else not_ok 'it is process 1' "$(grep NSpid "/proc/$pid/status")"; fi
kill -s TERM "$pid"
over 'SIGTERM' 143 'ended by signal 15'
begin
kill -s INT "$pid"
over 'SIGINT' 130 'ended by signal 2'
begin
kill -s HUP "$pid"
over 'SIGHUP' 129 'ended by signal 1 '
begin
kill -s QUIT "$pid"
over 'SIGQUIT' 131 ''
begin --timeout 2
over '--timeout' 124 'still ran after 2.000 s'

# A guest's status, as ever.
"${init[@]}" "$HVRUN" -k "$GUESTS/status.elf" -m 64M -a status=7 </dev/null >/dev/null 2>"$TMPDIR/err" &
outer=$!
over "the guest's own status" 7 'ended with status 7'

# Programs that it starts end with it, and none is left as a zombie meanwhile.
if command -v passt >/dev/null; then
	begin -n user
	children=$(cat "/proc/$pid/task/"*/children | tr -d '\n')
	children=${children% }
	if [ -n "$children" ]; then ok 'passt is its child'; else not_ok 'passt is its child' "$(tr '\n' '|' <"$TMPDIR/err")"; fi
	kill -s TERM "$pid"
	over 'SIGTERM with passt' 143 'ended by signal 15'
	left=
	for child in $children; do [ ! -e "/proc/$child" ] || left="$left $child"; done
	if [ -z "$left" ]; then ok 'passt has ended'; else not_ok 'passt has ended' "$left"; fi
else
	skip 'passt ends with it' 'passt is not installed'
fi

[ -z "${HVRUN_SANITIZER:-}" ] || exit 0 # these have handlers and words of their own
probe=$TMPDIR/probe.so
if [ "$(uname -m)" != x86_64 ]; then
	skip 'crashes' 'tests/cli/probe.c knows the numbers of x86-64 only'
elif ! "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -shared -fPIC -o "$probe" "$TEST_TOP/tests/cli/probe.c" 2>"$TMPDIR/cc"; then
	not_ok 'build of tests/cli/probe.c' "$(head -n 1 "$TMPDIR/cc")"
else
	# crash NAME KIND WHERE STATUS REGEX
	crash() {
		run_command 100 "${init[@]}" env LD_PRELOAD="$probe" PROBE="$2" PROBE_AT="$3" "$HVRUN" -k "$GUESTS/hello.elf" -m 64M
		if [ "$status" = "$4" ] && matches "$err" "$5"; then ok "$1"; else not_ok "$1" "status $status: $(tr '\n' '|' <"$err")"; fi
	}
	crash 'a signal before it takes them as events' term open 143 ''
	for at in build vcpu poll; do
		crash "abort ($at)" abort $at 70 '^hvrun: ended by signal 6 \(SIGABRT\): a defect of hvrun'
		crash "a fault ($at)" fault $at 70 '^hvrun: ended by signal 11 \(SIGSEGV\): a defect of hvrun'
		crash "a dead canary ($at)" smash $at 70 '^hvrun: ended by signal 6 \(SIGABRT\): a defect of hvrun'
		crash "a call that is not on the list ($at)" socket $at 70 '^hvrun: sandbox: system call [0-9]+ \(socket\)'
	done
fi
