#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Console output and input against a host that closes, blocks or floods; never a hang, never growth.
. "$(dirname "$0")/common"
need_guests

# start GUEST [options...]: hvrun in the background, its id in $pid; redirect around the call.
start() {
	local guest=$1
	shift
	"$HVRUN" -k "$GUESTS/$guest.elf" -m 64M "$@" 2>"$TMP/err" &
	pid=$!
}

# finish SECONDS: wait for $pid; its exit status in $status, or "hung" (and it is killed).
finish() {
	local ticks=$(($1 * 10))
	while grep -q '^State:.*[^Z] (' "/proc/$pid/status" 2>/dev/null && [ $ticks -gt 0 ]; do
		sleep 0.1
		ticks=$((ticks - 1))
	done
	if [ $ticks -eq 0 ]; then
		kill -KILL "$pid"
		wait "$pid"
		status=hung
	else
		status=0
		wait "$pid" || status=$?
	fi
}

# ends NAME: it ended, and not by a defect.
ends() {
	case $status in
	hung | 70 | 134 | 139) not_ok "$1" "status $status; err: $(tail -n 3 "$TMP/err" | tr '\n' '|')" ;;
	*) ok "$1" ;;
	esac
}

run hello -m 64M -a lines=2000
expect native-console-many-lines 0 "hello: line 2000"
if [ "$(grep -c '^hello: line ' "$TMP/out.lines")" -eq 2000 ]; then
	ok native-console-all-lines
else
	not_ok native-console-all-lines "$(grep -c '^hello: line ' "$TMP/out.lines") of 2000"
fi

# Standard output is a pipe that its reader closes.
mkfifo "$TMP/pipe"
head -n 1 <"$TMP/pipe" >"$TMP/head" &
start hello -a lines=3000 </dev/null >"$TMP/pipe"
finish 100
ends native-console-reader-leaves

# Standard output is full.
start hello -a lines=500 </dev/null >/dev/full
finish 100
ends native-console-device-full

# Neither input nor output.
start status -a status=3 <&- >&-
finish 100
if [ "$status" = 3 ]; then ok native-console-closed; else not_ok native-console-closed "status $status"; fi

# Standard output is a pipe that nobody reads; a signal still ends the run, also where the loop has read the
# signal before the vCPU that waits for the reader looks (one time in seven, before it was mended).
sleep 1000 <"$TMP/pipe" &
reader=$!
why=
for _ in 1 2 3 4 5 6; do
	start hello -a lines=20000 </dev/null >"$TMP/pipe"
	sleep "0.${HVRUN_SANITIZER:+6}3"
	kill -TERM "$pid"
	finish 100
	[ "$status" = 143 ] || why="$why status $status after SIGTERM: $(tail -n 2 "$TMP/err")"
done
kill "$reader"
if [ -z "$why" ]; then ok native-console-blocked; else not_ok native-console-blocked "$why"; fi

# A virtio console whose reader is slow: the loop does not wait (a client of the control socket is answered), nothing is
# lost, also of what stands in the queue when the guest is off.
mkfifo "$TMP/narrow"
for word in flood leave; do
	exec 9<>"$TMP/narrow" 7<"$TMP/narrow"
	start virtio-console --console virtio -a $word --control "$TMP/control" </dev/null >"$TMP/narrow" 7<&- 9<&-
	until [ -S "$TMP/control" ] || ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
	sleep 1 # in which the guest fills the pipe
	if [ $word = flood ]; then
		if timeout 100 "$HVRUN" ctl "$TMP/control" status >"$TMP/state" 2>&1; then
			ok native-console-slow-control
		else
			not_ok native-console-slow-control "$(tail -n 1 "$TMP/state")"
		fi
	fi
	# The end of the pipe is its writer's: who reads by our own 9, which writes too, would never see one. By 7, which is
	# open: between our own end's going and a new one's coming the guest's words would be nobody's.
	head -n 4098 <&7 >"$TMP/slow" 7<&- 9<&- &
	reader=$!
	exec 7<&- 9<&-
	finish 100
	wait "$reader"
	if [ "$status" = 0 ] && [ "$(grep -c '^[0-9]\{4\}\.*$' "$TMP/slow")" = 4096 ]; then
		ok native-console-slow-$word
	else
		not_ok native-console-slow-$word "status $status, $(wc -l <"$TMP/slow") lines, among them $(grep -v '^[0-9]\{4\}\.*$' "$TMP/slow" | tail -n 3 | tr '\n' '|'); $(tail -n 1 "$TMP/err")"
	fi
done

# A guest that never reads its input: what waits does not pile up in our memory.
yes | head -c 64M >"$TMP/flood" &
flood=$!
wait $flood
start spin -a sleep <"$TMP/flood" >"$TMP/spun"
until grep -q "spin: for ever" "$TMP/spun" || ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
sleep 1 # in which it could pile up
rss=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status")
kill -TERM "$pid"
finish 100
rm -f "$TMP/flood"
if [ -n "${HVRUN_SANITIZER:-}" ]; then
	skip native-console-flood "memory of a sanitizer's binary says nothing"
elif [ "$status" != 143 ]; then
	not_ok native-console-flood "status $status"
elif [ "${rss:-999999}" -gt 8192 ]; then
	not_ok native-console-flood "$rss KiB of private memory"
else
	ok native-console-flood
fi
