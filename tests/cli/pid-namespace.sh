#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --pid-namespace: the machine is process 1 of one of its own, with what it starts; the process outside hands on
# signals and stops, ends as the machine does, and takes it along whatever happens to it.
. "$TEST_TOP/tests/lib/sh.sh"
need_kvm
ulimit -c 0
# LeakSanitizer looks from a process that it starts, and the one outside can start none when its namespace is gone.
[ "${HVRUN_SANITIZER:-}" != asan ] || export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

hv -k "$GUESTS/status.elf" -m 64M -a status=7 --pid-namespace
if [ "$status" = 71 ]; then
	check 'refused: said' 71 '^hvrun: --pid-namespace: the host refuses one: ' && one_line 'refused: one line'
	exit 0
fi
check "the guest's own status" 7 'ended with status 7'

is() { # is NAME GOT WANT
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "\"$2\", not \"$3\"; $(tr '\n' '|' <"$TMPDIR/err")"; fi
}

# until_so COMMAND...: it holds, within a minute.
until_so() {
	local since=$SECONDS
	until "$@"; do
		[ $((SECONDS - since)) -lt 60 ] || return 1
		sleep 0.05
	done
}

# begin [COMMAND...] -- ARG...: hvrun in the background, $outer outside and $pid in the namespace, once its guest runs.
begin() {
	local before=()
	while [ "$1" != -- ]; do before+=("$1") && shift; done
	shift
	: >"$TMPDIR/out"
	# A shell has the programs that it does not wait for ignore SIGINT and SIGQUIT.
	env --default-signal=INT,QUIT "${before[@]}" "$HVRUN" -k "$GUESTS/spin.elf" -m 64M -a sleep --pid-namespace "$@" \
		</dev/null >"$TMPDIR/out" 2>"$TMPDIR/err" &
	outer=$!
	until_so runs_or_ended
	pid=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null)
	pid=${pid% }
}
runs_or_ended() { grep -q 'for ever' "$TMPDIR/out" || gone "$outer"; }
gone() { ! kill -0 "$1" 2>/dev/null || [ "$(state "$1")" = Z ]; }
state() { awk '$1 == "State:" { print $2 }' "/proc/$1/status" 2>/dev/null; }
levels() { awk '$1 == "NSpid:" { print NF - 1 }' "/proc/$1/status"; } # in how many namespaces it has a number
both_are() { # both_are REGEX: the states of both processes
	[[ $(state "$outer")$(state "$pid") =~ ^$1$ ]]
}

# over NAME STATUS REGEX: it ended so, said so, and nothing of it is left.
over() {
	local status=0
	until_so gone "$outer" || kill -9 "$outer"
	wait "$outer" 2>/dev/null || status=$?
	if [ "$status" != "$2" ] || ! matches "$TMPDIR/err" "$3"; then
		not_ok "$1" "status $status: $(tr '\n' '|' <"$TMPDIR/err")"
	elif ! until_so gone "$pid"; then
		not_ok "$1" "process $pid is still there"
	else
		ok "$1"
	fi
}

begin --
is 'it is process 1' "$(awk '$1 == "NSpid:" { print $NF }' "/proc/$pid/status")" 1
is 'in a namespace that the one outside is not in' "$([ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink "/proc/$outer/ns/pid")" ] && echo so)" so
kill -s TERM "$outer"
over 'SIGTERM' 143 'ended by signal 15'
begin --
kill -s INT "$outer"
over 'SIGINT' 130 'ended by signal 2'
begin --
kill -s HUP "$outer"
over 'SIGHUP' 129 'ended by signal 1 '
begin --
kill -s QUIT "$outer"
over 'SIGQUIT' 131 ''
begin --
kill -s KILL "$outer"
over 'SIGKILL outside' 137 ''
begin --
kill -s KILL "$pid"
over 'SIGKILL inside' 137 ''
begin -- --timeout 2
over '--timeout' 124 'still ran after 2.000 s'

# A job that is stopped, and goes on.
for stopped in "TSTP $outer" 'STOP pid'; do
	begin --
	[ "$stopped" = 'STOP pid' ] && at=$pid || at=$outer
	kill -s "${stopped% *}" "$at"
	if until_so both_are TT; then ok "SIG${stopped% *}: both stand still"; else not_ok "SIG${stopped% *}: both stand still" "$(state "$outer")$(state "$pid")"; fi
	kill -s CONT "$outer"
	if until_so both_are '[RSD]{2}'; then ok "SIGCONT after SIG${stopped% *}: both go on"; else not_ok "SIGCONT after SIG${stopped% *}: both go on" "$(state "$outer")$(state "$pid")"; fi
	kill -s TERM "$outer"
	over "SIGTERM after SIG${stopped% *}" 143 'ended by signal 15'
done

# What people are told is the number that they can use.
begin -- --control "$TMPDIR/control"
is 'ctl status: the number outside' "$("$HVRUN" ctl "$TMPDIR/control" status | tr -d ' ' | grep -o '"pid":[0-9]*')" "\"pid\":$outer"
kill -s TERM "$outer"
over 'SIGTERM with a control socket' 143 'ended by signal 15'
if [ ! -e "$TMPDIR/control" ]; then ok 'no socket is left'; else not_ok 'no socket is left' "$(ls -l "$TMPDIR/control")"; fi

if [ "$(id -u)" = 0 ] && [ -z "${HVRUN_SANITIZER:-}" ]; then
	begin -- --user 65534:65534
	if grep -q 'the host refuses one' "$TMPDIR/err"; then
		skip '--user: SIGKILL outside' 'root has one in a user namespace only here, in which nobody else is'
	else
		kill -s KILL "$outer"
		over '--user: SIGKILL outside' 137 ''
	fi
fi
# What those that start it may have ignored.
begin env --ignore-signal=CHLD,HUP --
kill -s HUP "$outer"
kill -s TERM "$outer"
over 'ignored SIGCHLD and SIGHUP' 143 'ended by signal 15'

# Somebody without privileges has one in a user namespace, and his files are his in there.
other=(unshare --mount sh -c 'mount --bind "$0" /dev/kvm && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"' "$TMPDIR/kvm")
# A folder that others may not pass keeps the tree from them.
install -m 755 "$HVRUN" "$TMPDIR/hvrun" && install -m 644 "$GUESTS/spin.elf" "$GUESTS/hello.elf" "$TMPDIR" && chmod 755 "$TMPDIR"
if [ "$(id -u)" != 0 ] || ! mknod -m 666 "$TMPDIR/kvm" c 10 232 ||
	! "${other[@]}" test -r /dev/kvm -a -w /dev/kvm -a -x "$TMPDIR/hvrun" -a -r "$TMPDIR/spin.elf"; then
	skip 'without privileges' 'we have none to give up, or nobody else may open /dev/kvm'
else
	mkdir -m 777 "$TMPDIR/logs"
	HVRUN=$TMPDIR/hvrun GUESTS=$TMPDIR
	begin "${other[@]}" -- --log "$TMPDIR/logs/log"
	is 'without privileges: it is process 1' "$(awk '$1 == "NSpid:" { print $NF }' "/proc/$pid/status")" 1
	is 'without privileges: a file that it made' "$(stat -c %u:%g "$TMPDIR/logs/log")" 65534:65534
	kill -s TERM "$outer"
	over 'without privileges: SIGTERM' 143 'ended by signal 15'
	if unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces' 2>/dev/null; then
		run_command 200 unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh \
			setpriv --bounding-set -all --inh-caps -all --no-new-privs "$HVRUN" -k "$GUESTS/hello.elf" --pid-namespace
		check 'refused: said' 71 '^hvrun: --pid-namespace: the host refuses one: ' && one_line 'refused: one line'
	else
		skip 'refused: said' 'there are no user namespaces to be taken away'
	fi
fi

# What it starts is in there too.
if command -v passt >/dev/null; then
	begin -- -n user
	children=$(cat "/proc/$pid/task/"*/children 2>/dev/null | tr -d '\n')
	for child in $children; do
		[ -n "$(levels "$child" 2>/dev/null)" ] || continue # it has ended meanwhile
		# In the same one, or in one more of its own.
		is 'passt: it has a number in the namespace' "$([ "$(levels "$child")" -ge "$(levels "$pid")" ] && echo so)" so
	done
	[ -n "$children" ] || not_ok 'passt: a child' "$(tr '\n' '|' <"$TMPDIR/err")"
	kill -s KILL "$outer"
	over 'SIGKILL with passt' 137 ''
	left=
	for child in $children; do until_so gone "$child" || left="$left $child"; done
	is 'passt has ended' "$left" ''
else
	skip 'passt in the namespace' 'passt is not installed'
fi

# A terminal is the machine's as before, and not that of a background job.
pty=$TMPDIR/pty
if ! "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$pty" "$TEST_TOP/tests/cli/pty.c" 2>"$TMPDIR/cc"; then
	not_ok 'build of tests/cli/pty.c' "$(head -n 1 "$TMPDIR/cc")"
	exit 0
fi
on_pty() { # on_pty NAME STEP... -- COMMAND...
	local name=$1 said
	shift
	if said=$("$pty" "$@" 2>"$TMPDIR/err"); then ok "$name"; else not_ok "$name" "$(head -c 300 <<<"$said" | tr '\r\n' '||'); stderr: $(head -c 200 "$TMPDIR/err" | tr '\n' '|')"; fi
}
spin=("$HVRUN" -k "$GUESTS/spin.elf" -m 64M -a sleep --pid-namespace)
on_pty 'Ctrl-A x leaves' see:spin: raw 'send:\x01x' exit:0 same -- "${spin[@]}"
on_pty 'SIGTERM: the terminal is as before' see:spin: raw signal:15 exit:143 same -- "${spin[@]}"
on_pty 'a background job leaves the terminal alone' -b see:spin: same signal:15 exit:143 same -- "${spin[@]}"
