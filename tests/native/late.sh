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
# held NAME: the back-end has not been given up, and the request is held still.
held() {
	if grep -q 'is gone' "$TMP/err" || [ -e "$TMP/go" ]; then not_ok "$1" "it was waited for: $(last_words)"; else ok "$1"; fi
}

# The loop goes on while the rings are given: it answers.
hang $ENABLE
begin virtio-blk
ctl native-late-start 0 running status
held native-late-start-not-waited-for
: >"$TMP/go"
over
expect native-late-start-goes-on 0 "virtio-blk: id disk, 2048 sectors, indirect, event index"

# The same while they are taken back: the driver resets.
hang $GET_BASE
begin virtio-blk
ctl native-late-stop 0 running status
held native-late-stop-not-waited-for
: >"$TMP/go"
over
expect native-late-stop-goes-on 0 "virtio-blk: reset in flight"

# The end of the run meanwhile: in order when the back-end comes, without it when it does not.
hang $ENABLE
begin virtio-blk
kill -TERM "$pid"
await grep -q 'waiting for its back-end' "$TMP/err"
: >"$TMP/go"
over
expect native-late-end 143
if grep -q 'is gone' "$TMP/err"; then not_ok native-late-end-in-order "$(last_words)"; else ok native-late-end-in-order; fi
hang $ENABLE
begin virtio-blk
kill -TERM "$pid"
over
expect native-late-never 143
says native-late-never-said 'is gone: it does not answer in time'
