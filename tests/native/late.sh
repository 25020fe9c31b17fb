#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A vhost-user back-end that hangs when a driver sets DRIVER_OK, or when it stops: the machine goes on meanwhile, and with
# the device when the back-end answers.
. "$(dirname "$0")/common"
need_guests
command -v python3 >/dev/null || skip_all 'python3 is not installed'

ENABLE=18 GET_BASE=11
S=$TMP/control
truncate -s 1M "$TMP/disk"
"$HVRUN" backend blk -d "$TMP/disk" --socket "$TMP/socket" -v 2>"$TMP/back" &
back=$!
until grep -q 'waiting at' "$TMP/back" || ! kill -0 $back 2>/dev/null; do sleep 0.05; done
between=
trap 'kill $back $between 2>/dev/null; wait; rm -rf "$TMP"' EXIT

# hang REQUEST: the back-end at $TMP/between does not hear such a request before there is $TMP/go.
hang() {
	[ -z "$between" ] || { kill "$between"; wait "$between"; }
	rm -f "$TMP/between" "$TMP/go" "$TMP/go.asked"
	: >"$TMP/said" # what the one before said must not pass for its words
	python3 tests/native/late-backend.py "$TMP/between" "$TMP/socket" "$1" "$TMP/go" >"$TMP/said" 2>&1 &
	between=$!
	pid=$between await grep -q ready "$TMP/said"
}
begin() {
	launch "$@" -m 64M --vhost-user "blk,socket=$TMP/between" --control "$S"
	await [ -e "$TMP/go.asked" ]
}
# in_time COMMAND [ARG...]: a machine that stands still for ten seconds has the back-end given up, rightly. Then once more,
# five times at most: a loop that waits has it given up each time.
in_time() {
	local round
	for round in 1 2 3 4 5; do
		"$@"
		grep -q 'is gone' "$TMP/err" || return 0
	done
}
# asked REQUEST: $answer is what the loop says to a client while the request is held still; then the run's end.
asked() {
	hang "$1"
	begin virtio-blk
	answer=$(timeout -k 2 100 "$HVRUN" ctl "$S" status 2>&1 </dev/null | tr -d '\n')
	: >"$TMP/go"
	over
}
# ended: a signal ends the run meanwhile, and then the back-end comes.
ended() {
	hang $ENABLE
	begin virtio-blk
	kill -TERM "$pid"
	await grep -q 'waiting for its back-end' "$TMP/err"
	: >"$TMP/go"
	over
}
# judge NAME: the loop has answered, and the back-end was not given up.
judge() {
	if [[ $answer == *running* ]]; then ok "$1"; else not_ok "$1" "$answer; $(last_words)"; fi
	if grep -q 'is gone' "$TMP/err"; then not_ok "$1-not-waited-for" "it was waited for: $(last_words)"; else ok "$1-not-waited-for"; fi
}

# The loop goes on while the rings are given: it answers.
in_time asked $ENABLE
judge native-late-start
expect native-late-start-goes-on 0 "virtio-blk: id disk, 2048 sectors, indirect, event index"

# The same while they are taken back: the driver resets.
in_time asked $GET_BASE
judge native-late-stop
expect native-late-stop-goes-on 0 "virtio-blk: reset in flight"

# The end of the run meanwhile: in order when the back-end comes, without it when it does not.
in_time ended
expect native-late-end 143
if grep -q 'is gone' "$TMP/err"; then not_ok native-late-end-in-order "$(last_words)"; else ok native-late-end-in-order; fi
hang $ENABLE
begin virtio-blk
kill -TERM "$pid"
over
expect native-late-never 143
says native-late-never-said 'is gone: it does not answer in time'
