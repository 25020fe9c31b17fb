#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --vsock natively: programs of the host (vsock-host.py) and a guest of our own, connected both ways.
. "$(dirname "$0")/common"
need_guests
command -v python3 >/dev/null || skip_all "no python3"
S=$TMP/sock
host() { timeout 250 python3 tests/native/vsock-host.py "$S" "$@"; }

# guest CONNS OPTION...: in the background, with somebody who listens for it.
guest() {
	local conns=$1
	shift
	rm -f "$S" "$S"_700 "$TMP/listen" "$TMP/out"
	host listen 200 >"$TMP/listen" 2>&1 &
	listener=$!
	until grep -q listening "$TMP/listen" 2>/dev/null || ! kill -0 $listener 2>/dev/null; do sleep 0.02; done
	launch vsock -m 64M --timeout 250 --vsock "42,path=$S" -a "conns=$conns" "$@"
	await [ -S "$S" ]
	await grep -q ready "$TMP/out"
}

# said NAME COMMAND...: it says that all was fine.
said() {
	local name=$1 words
	shift
	words=$("$@" 2>&1 | tail -n 1)
	if [ "$words" = fine ]; then ok "$name"; else not_ok "$name" "$words; $(tail -n 2 "$TMP/out" "$TMP/err" | tr '\n' '|')"; fi
}

guest 21
if [ "$(stat -c %a "$S" 2>/dev/null)" = 600 ]; then ok vsock-socket-mode; else not_ok vsock-socket-mode "$(ls -l "$S" 2>&1)"; fi
wait $listener
said vsock-guest-connects tail -n 1 "$TMP/listen"
connector=$(pgrep -P $pid -x hvrun-connector)
if [ -n "$connector" ]; then ok vsock-connector; else not_ok vsock-connector "hvrun has no such child"; fi
said vsock-host-connects host echo 1 15000
said vsock-host-connects-20 host echo 20 3000
over
expect vsock 0 "vsock: all is well"
says vsock-broken "a packet shorter than its header"
if grep -qx 'vsock: 42, ready' "$TMP/out.lines"; then ok vsock-cid; else not_ok vsock-cid "$(last_words)"; fi
# The connector ends with its machine, and the next machine takes the socket's name.
for _ in $(seq 600); do
	[ -d "/proc/${connector:-self}" ] && ! grep -q '^State:.Z' "/proc/${connector:-self}/status" || break
	sleep 0.1
done 2>/dev/null
if [ -d "/proc/${connector:-self}" ] && ! grep -q '^State:.Z' "/proc/$connector/status"; then
	not_ok vsock-connector-ends "it is still there"
else
	ok vsock-connector-ends
fi
guest 1 --sandbox log
wait $listener
said vsock-log host echo 1 5000
over
expect vsock-log-end 0 "vsock: all is well"
if grep -q 'sandbox: ' "$TMP/err"; then not_ok vsock-log-quiet "$(grep 'sandbox: ' "$TMP/err" | head -n 1)"; else ok vsock-log-quiet; fi
# A reset by the control socket with a connection open, and every other device there: the client is hung up on, and
# the guest serves again.
truncate -s 1M "$TMP/disk" "$TMP/pmem"
words=(--control "$TMP/control" -d "$TMP/disk" --pmem "$TMP/pmem" --balloon --port "log,file=$TMP/port" --rng bw=64K)
! command -v passt >/dev/null || words+=(--net user)
guest 99 "${words[@]}"
wait $listener
: >"$TMP/held"
host hold >"$TMP/held" 2>&1 &
holder=$!
until grep -q held "$TMP/held" || ! kill -0 $holder 2>/dev/null; do sleep 0.02; done
rm -f "$S"_700
: >"$TMP/listen"
host listen 200 >"$TMP/listen" 2>&1 &
listener=$!
until grep -q listening "$TMP/listen" || ! kill -0 $listener 2>/dev/null; do sleep 0.02; done
if said=$(timeout 100 "$HVRUN" ctl "$TMP/control" reset 2>&1); then ok vsock-reset; else not_ok vsock-reset "$said"; fi
wait $holder
said vsock-reset-hangs-up tail -n 1 "$TMP/held"
wait $listener
said vsock-reset-guest-connects tail -n 1 "$TMP/listen"
said vsock-reset-host-connects host echo 2 3000
kill -TERM $pid
over
if [ "$status" = 143 ] && [ ! -e "$S" ]; then ok vsock-reset-end; else not_ok vsock-reset-end "$(last_words)"; fi
# A client that nobody hears is hung up on when the machine goes.
guest 99
wait $listener
kill -TERM $pid
over
if [ "$status" = 143 ] && [ ! -e "$S" ]; then ok vsock-stop; else not_ok vsock-stop "$(last_words)"; fi
