#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How runs begin and end: each way out of a guest, its exit status, and what hvrun says of it.
. "$(dirname "$0")/common"
need_guests

run hello -m 64M -a "one two"
expect native-hello 0 "hello: a guest of hvrun"
if grep -q '^hello: command line: .*one two$' "$TMP/out.lines"; then
	ok native-append
else
	not_ok native-append "$(last_words)"
fi
if [ "$(grep -vc '^hello: ' "$TMP/out.lines")" -eq 0 ]; then
	ok native-stdout-is-the-console
else
	not_ok native-stdout-is-the-console "$(last_words)"
fi

run hello -m 64M --append-only -a "just this"
expect native-append-only 0 "hello: command line: just this"

run status -m 64M
expect native-status-42 42 "status: 42"
run status -m 64M -a status=7
expect native-status-7 7
run status -m 64M -a status=0
expect native-status-0 0
run status -m 64M -a status=255
expect native-status-255 255

run reset -m 64M
expect native-reset 0 "reset: now"
says native-reset-said "guest reset"

run triple -m 64M
expect native-triple-fault 134 "triple: now"
says native-triple-fault-said "triple fault"

run badop -m 64M
case $status in
0 | 1 | 124 | 137) not_ok native-badop "should end with a report: $(last_words)" ;;
*)
	# The report shows where the guest was.
	if grep -qi 'd0000000' "$TMP/err"; then
		ok native-badop
	else
		not_ok native-badop "no registers in the report: $(last_words)"
	fi
	;;
esac

run pvh -m 64M -a "by pvh"
expect native-pvh 0 "pvh: 32-bit entry"
if grep -q '^pvh: command line: .*by pvh$' "$TMP/out.lines"; then
	ok native-pvh-command-line
else
	not_ok native-pvh-command-line "$(last_words)"
fi

# A guest that never ends is ended by a signal, busy or asleep, with 128 + the signal's number.
for case in busy:TERM:143 sleep:TERM:143 busy:INT:130 sleep:INT:130; do
	how=${case%%:*} rest=${case#*:}
	signal=${rest%%:*}
	name="native-$how-SIG$signal"
	# The output of the run before must not pass for this one's.
	rm -f "$TMP/out"
	# A background job of a shell without job control ignores SIGINT: env puts that right.
	env --default-signal=INT "$HVRUN" -k "$GUESTS/spin.elf" -m 64M -a "$how" </dev/null \
		>"$TMP/out" 2>"$TMP/err" &
	pid=$!
	until grep -qs 'spin: for ever' "$TMP/out" || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
	[ "$case" != busy:TERM:143 ] || cp "/proc/$pid/status" "$TMP/proc-status"
	kill -"$signal" $pid
	# Should it not obey, the test must still end.
	(sleep 100 && kill -KILL $pid) >/dev/null 2>&1 &
	killer=$!
	status=0
	wait $pid || status=$?
	kill $killer 2>/dev/null
	wait $killer 2>/dev/null
	cp "$TMP/out" "$TMP/out.lines"
	expect "$name" "${rest#*:}"
done

# A signal at any moment of the start ends the run too.
wrong=
for ms in $(seq 40); do
	status=0
	timeout --preserve-status -k 100 -s TERM "0.$(printf %03d "$ms")" "$HVRUN" \
		-k "$GUESTS/spin.elf" -m 64M -c 2 </dev/null >"$TMP/out" 2>"$TMP/err" || status=$?
	[ "$status" -eq 143 ] || wrong="$wrong ${ms}ms:$status"
done
if [ -z "$wrong" ]; then ok native-early-signal; else not_ok native-early-signal "$wrong"; fi

# What the kernel says of such a process while its guest runs.
if [ -n "${HVRUN_SANITIZER:-}" ]; then
	skip native-sandbox "a sanitizer's binary runs without"
elif grep -qP '^NoNewPrivs:\t1$' "$TMP/proc-status" && grep -qP '^Seccomp:\t2$' "$TMP/proc-status"; then
	ok native-sandbox
else
	not_ok native-sandbox "$(grep -E '^(NoNewPrivs|Seccomp):' "$TMP/proc-status" | tr '\n\t' '| ')"
fi

run spin -m 64M --timeout 1
if [ "$status" -eq 64 ]; then
	skip native-timeout "--timeout is not built yet"
else
	expect native-timeout 124
fi
