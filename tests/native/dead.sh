#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A disk whose medium answers nothing, as a network file system whose server is gone: a read is in flight when the guest
# resets its device, when the machine resets, and when it ends.
. "$(dirname "$0")/common"
need_guests
[ "$(id -u)" = 0 ] || skip_all 'only root may mount a file system without a helper'
command -v python3 >/dev/null || skip_all 'python3 is not installed'
[ -w /dev/fuse ] || skip_all 'there is no /dev/fuse here'
[ "${HVRUN_SANITIZER:-}" != asan ] || leaks=detect_leaks=0 # what is in flight is left where it is, on purpose
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}${leaks:-}

mkdir "$TMP/mnt"
mkfifo "$TMP/hold"
python3 tests/native/dead-disk.py "$TMP/mnt" "$TMP/go" <"$TMP/hold" >"$TMP/fuse" 2>&1 &
fuse=$!
exec 9>"$TMP/hold"
trap 'umount -l "$TMP/mnt" 2>/dev/null; exec 9>&-; wait $fuse; rm -rf "$TMP"' EXIT
pid=$fuse await grep -q ready "$TMP/fuse"
grep -q ready "$TMP/fuse" || skip_all "no FUSE here: $(head -n 1 "$TMP/fuse")"
S=$TMP/control
: >"$TMP/go"
cat "$TMP/mnt/disk" >"$TMP/content" # no FLUSH is asked for after the first, which nothing interrupts

# begin [options...]: the guest, whose disk does not answer; returns when its read is in flight.
begin() {
	: >"$TMP/go"
	while [ -e "$TMP/go.asked" ]; do sleep 0.05; done
	rm "$TMP/go"
	launch stuck -m 64M -d "$TMP/mnt/disk" "$@"
	await [ -e "$TMP/go.asked" ]
}

# within NAME SECONDS: it ended so soon after $from.
within() {
	local took=$((SECONDS - from))
	if [ $took -le "$2" ]; then ok "$1"; else not_ok "$1" "took $took s"; fi
}

# The driver waits for its reset; the loop, the control socket and another look at the vCPU do not.
begin --control "$S"
await grep -q 'stuck: resets' "$TMP/out"
ctl native-dead-control 0 running status
ctl native-dead-pause 0 '' pause
ctl native-dead-resume 0 '' resume
sleep 0.5
if grep -q 'stuck: reset$' <(tr -d '\r' <"$TMP/out"); then not_ok native-dead-waits 'the reset was over before the read'; else ok native-dead-waits; fi
: >"$TMP/go"
over
expect native-dead-comes-back 0 "stuck: read 'd'"

# From outside a run ends all the same, and says what it waits for.
begin
await grep -q 'stuck: resets' "$TMP/out"
from=$SECONDS
kill "$pid"
over
expect native-dead-term 143
within native-dead-term-in-time 100
says native-dead-term-waits "disk $TMP/mnt/disk: waiting for a read or write that its medium has not answered (10 s at most"
says native-dead-term-leaves "disk $TMP/mnt/disk: its medium does not answer a read or write: ending without it"

# insist NAME STATUS: who gives a signal then does not wait.
insist() {
	await grep -q 'waiting for a read' "$TMP/err"
	kill "$pid"
	over
	expect "$1" "$2"
	says "$1-leaves" 'ending without it'
}

begin --timeout 10
insist native-dead-timeout 124
begin
kill -s INT "$pid"
insist native-dead-twice 130

# At the guest's own end what comes back in time is waited for.
begin -a end
from=$SECONDS # before its ten seconds begin
await grep -q 'waiting for a read' "$TMP/err"
: >"$TMP/go"
over
expect native-dead-end 0
if ! grep -q 'without it' "$TMP/err"; then
	ok native-dead-end-says
elif [ $((SECONDS - from)) -ge 10 ]; then
	skip native-dead-end-says 'this machine stood still for those ten seconds'
else
	not_ok native-dead-end-says "$(last_words)"
fi

# A machine that starts again waits as long as it takes, but for a signal.
begin -a reboot --reboot
insist native-dead-reboot 143

begin --io-uring
await grep -q 'stuck: resets' "$TMP/out"
kill "$pid"
insist native-dead-io-uring 143

# The same behind hvrun backend, which gives a ring back when its requests are through: nobody waits but the driver. Not by
# default: on a busy machine the medium's answer can come too late for the front end's 12 s.
if [ -n "${HVRUN_TEST_LONG:-}" ]; then
	: >"$TMP/go"
	while [ -e "$TMP/go.asked" ]; do sleep 0.05; done
	"$HVRUN" backend blk -d "$TMP/mnt/disk" --socket "$TMP/served" -v 2>"$TMP/back" &
	back=$!
	pid=$back await grep -q 'waiting at' "$TMP/back"
	rm "$TMP/go"
	launch stuck -m 64M --vhost-user "blk,socket=$TMP/served" --control "$S"
	await grep -q 'stuck: resets' "$TMP/out"
	sleep 3 # the requests have had their time, and the answer is awaited
	from=$SECONDS
	ctl native-dead-served-control 0 running status
	within native-dead-served-in-time 4
	: >"$TMP/go"
	over
	expect native-dead-served-comes-back 0 "stuck: read 'd'"
	kill $back
	wait $back 2>/dev/null || :
else
	skip native-dead-served 'in the long form only'
fi
