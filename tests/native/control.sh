#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --control and hvrun ctl: each command on a running machine, clients that misbehave, the socket's life.
. "$(dirname "$0")/common"
need_guests
S=$TMP/socket
J=$TMP/job

# machine GUEST [OPTION...]: starts it in the background and waits for its socket.
machine() {
	local guest=$1
	shift
	launch "$guest" -m 64M --timeout 250 --control "$S" "$@"
	await [ -S "$S" ]
	await grep -q . "$TMP/out"
}

machine echo -a 'irq loud' -c 1
if [ "$(stat -c %a "$S" 2>/dev/null)" = 600 ]; then ok control-socket-mode; else not_ok control-socket-mode "$(ls -l "$S" 2>&1)"; fi
ctl control-status 0 '"state": "running"' status
ctl control-status-pid 0 "\"pid\": $pid," status
ctl control-pause 0 '' pause
ctl control-paused 0 '"state": "paused"' status
ctl control-pause-twice 71 'paused already' pause
ctl control-report-while-paused 0 '"report": 1' report
ctl control-resume 0 '' resume
ctl control-resume-twice 71 'is not paused' resume
ctl control-report 0 '"IO": [1-9]' report
ctl control-unknown 64 'unknown command "frobnicate"' frobnicate
ctl control-word-missing 64 'sysrq needs a word' sysrq
ctl control-word-too-many 64 'takes no word' status now
ctl control-sysrq-key 71 'one letter or digit' sysrq help
# The guest prints each byte: a break is a zero byte, then comes the key.
ctl control-sysrq 0 '' sysrq h
ctl control-sysrq-quit 0 '' sysrq q
over
if [ "$status" = 0 ] && tr -d '\0' <"$TMP/out" | grep -q 'echo: 3 bytes'; then
	ok control-sysrq-comes
else
	tail -n 1 "$TMP/out" >"$J"
	if [ "$status" = 0 ]; then ok control-sysrq-comes; else not_ok control-sysrq-comes "$(last_words)"; fi
fi
if [ ! -e "$S" ]; then ok control-socket-removed; else not_ok control-socket-removed 'it is still there'; fi

# The console by the socket: both ways, and its words.
machine echo -a 'irq loud'
mkfifo "$TMP/typed"
exec 8<>"$TMP/typed" # our own end keeps it open
printf abcq >&8
timeout 100 "$HVRUN" ctl "$S" console <&8 >"$J" 2>&1
over
expect control-console-ends 0
if grep -q 'abc.*echo: 3 bytes' <(tr -d '\r\n' <"$J"); then ok control-console; else not_ok control-console "$(head -c 200 "$J")"; fi

# More at once than the port holds: all of it comes, as the guest takes it.
machine echo -a irq
{ head -c 20000 /dev/zero | tr '\0' x; printf q; } >&8
timeout 100 "$HVRUN" ctl "$S" console <&8 >"$J" 2>&1
exec 8<&-
"$HVRUN" ctl "$S" stop >/dev/null 2>&1 # only if it still runs
over
expect control-console-much 0
if grep -q 'echo: 20000 bytes' "$TMP/out.lines"; then ok control-console-all-came; else not_ok control-console-all-came "$(last_words)"; fi

# Events, reset, stop.
machine spin
timeout 200 "$HVRUN" ctl "$S" events >"$TMP/events" 2>&1 &
listener=$!
# Until it listens nobody is told.
until grep -q resumed "$TMP/events" || ! kill -0 $listener 2>/dev/null; do
	"$HVRUN" ctl "$S" pause && "$HVRUN" ctl "$S" resume || break
done >/dev/null 2>&1
ctl control-pause-again 0 '' pause
ctl control-reset-while-paused 0 '' reset
until [ "$(grep -c 'spin: for ever' "$TMP/out")" -ge 2 ] || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
ctl control-boots 0 '"boots": 2' status
ctl control-running-again 0 '"state": "running"' status
ctl control-stop 0 '' stop
over
expect control-stopped 0
says control-stopped-words 'stopped by the control socket'
wait $listener
if tr '\n' ' ' <"$TMP/events" | grep -qE '^(\{"event":"(paused|resumed)","time_us":[0-9]+\} )*\{"event":"resumed","time_us":[0-9]+\} \{"event":"paused","time_us":[0-9]+\} \{"event":"started",.*\{"event":"stopped","time_us":[0-9]+,"why":"stop","status":0,"words":"stopped by the control socket"\} $'; then
	ok control-events
else
	not_ok control-events "$(head -c 400 "$TMP/events")"
fi
machine panic
over
expect control-panic 134

# What another process serves, it serves for one boot: a reset is refused, and the machine goes on.
if command -v qemu-storage-daemon >/dev/null && command -v qemu-img >/dev/null; then
	qemu-img create -q -f qcow2 "$TMP/once.qcow2" 1M
	machine spin -d "$TMP/once.qcow2,format=qcow2"
	ctl control-reset-served 71 'does so for one boot' reset
	ctl control-reset-served-goes-on 0 '"boots": 1' status
	ctl control-reset-served-stop 0 '' stop
	over
	expect control-reset-served-end 0
else
	skip control-reset-served 'qemu-storage-daemon or qemu-img is not installed'
fi

# An NMI reaches the guest, which takes it as an exception that nobody expected.
machine echo -a irq
ctl control-nmi 0 '' nmi
over
expect control-nmi-comes 120

# Somebody else's file is not replaced; a socket that nobody listens on is.
echo mine >"$TMP/file"
run hello -m 64M --control "$TMP/file"
expect control-not-a-socket 71
if [ "$(cat "$TMP/file")" = mine ]; then ok control-file-left-alone; else not_ok control-file-left-alone changed; fi
machine spin
run hello -m 64M --control "$S"
expect control-socket-in-use 71
kill -KILL $pid
over
for _ in $(seq 600); do [ -e "$S" ] || break; sleep 0.1; done
if [ ! -e "$S" ]; then ok control-removed-after-sigkill; else not_ok control-removed-after-sigkill 'it is still there'; fi
status=0
"$HVRUN" ctl "$S" status >"$TMP/out" 2>"$TMP/err" || status=$?
cp "$TMP/out" "$TMP/out.lines"
expect control-nobody-there 66

# Clients that misbehave: the machine goes on, and others are served.
machine spin
if command -v python3 >/dev/null; then
	timeout 250 python3 "$TEST_TOP/tests/native/control-hostile.py" "$S" >"$J" 2>&1
	cat "$J" | grep -E '^(ok|not ok) ' || not_ok control-hostile "$(tail -n 2 "$J" | tr '\n' '|')"
else
	skip control-hostile 'no python3 here'
fi
ctl control-after-hostile 0 '"state": "running"' status
ctl control-after-hostile-stop 0 '' stop
over
expect control-after-hostile-end 0

# Root comes in where a user runs the machine, who in its user namespace is told from nobody but himself.
if [ "$(id -u)" = 0 ]; then
	as_user=(setpriv --reuid 65533 --regid 65533 --clear-groups)
	open=$(mktemp -d /tmp/hvrun-control.XXXXXX) # TMP lies in a folder of root's
	trap 'rm -rf "$TMP" "$open"' EXIT
	machine spin --user 65533:65533
	ctl control-root-of-user 0 '"state": "running"' status
	if [ "$(stat -c %u:%a "$S")" = 65533:600 ]; then ok control-user-owns; else not_ok control-user-owns "$(stat -c %u:%a "$S")"; fi
	ctl control-root-stops-it 0 '' stop
	over
	expect control-root-stopped-it 0
	S=$open/socket
	cp "$HVRUN" "$open/hvrun"
	chmod 755 "$open" "$open/hvrun"
	machine spin --user 65533:65533
	chmod 666 "$S"
	status=0
	"${as_user[@]}" "$open/hvrun" ctl "$S" status >"$J" 2>&1 || status=$?
	if [ "$status" = 0 ]; then ok control-user-himself; else not_ok control-user-himself "status $status: $(head -c 200 "$J")"; fi
	status=0
	setpriv --reuid 65532 --regid 65532 --clear-groups "$open/hvrun" ctl "$S" status >"$J" 2>&1 || status=$?
	if [ "$status" = 71 ] && grep -q 'only the user who runs' "$J"; then
		ok control-others-refused
	else
		not_ok control-others-refused "status $status: $(head -c 200 "$J")"
	fi
	ctl control-open-stop 0 '' stop
	over
	expect control-open-stopped 0
else
	skip control-root-of-user 'only root can be two users'
fi
