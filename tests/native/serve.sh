#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun backend with hvrun as the front end: a disk of one process in the guest of another, one front end after another,
# also those that are killed; and what a front end is told that breaks the protocol.
. "$(dirname "$0")/common"
need_guests

# serve WORD...: hvrun backend in the background, as $back, when it listens at $S.
S=$TMP/socket
serve() {
	: >"$TMP/back"
	"$HVRUN" backend "$@" --socket "$S" -v 2>"$TMP/back" &
	back=$!
	until grep -q 'waiting at' "$TMP/back" || ! kill -0 $back 2>/dev/null; do sleep 0.05; done
}
# served NAME: ended by a signal, it says nothing but who came and went.
served() {
	local got=0 words
	kill -TERM $back
	wait $back || got=$?
	words=$(grep -vE ': (waiting at|a front end is here|the front end has gone)' "$TMP/back" | head -n 3)
	if [ $got = 143 ] && [ -z "$words" ]; then ok "$1"; else not_ok "$1" "status $got: $words"; fi
}

for kind in '' ,direct,queues=4 --io-uring; do
	words=(-d "$TMP/disk${kind%--io-uring}")
	[ "$kind" != --io-uring ] || words+=(--io-uring)
	truncate -s 0 "$TMP/disk"
	truncate -s 1M "$TMP/disk"
	serve blk "${words[@]}"
	name=native-serve${kind:+-${kind##*[,-]}}
	if ! kill -0 $back 2>/dev/null; then
		skip "$name" "not to be had here: $(head -n 1 "$TMP/back")"
		continue
	fi
	run virtio-blk -m 64M --vhost-user "blk,socket=$S"
	expect "$name" 0 "virtio-blk: id disk, 2048 sectors, indirect, event index"
	text=$(dd if="$TMP/disk" bs=512 skip=8 count=1 2>/dev/null | head -c 32)
	if [ "$text" = hvrun-guest-datahvrun-guest-data ]; then
		ok "$name-content"
	else
		not_ok "$name-content" "sector 8 is not what the guest wrote: $text"
	fi
	for plain in '' plain; do
		run wakeups -m 64M --vhost-user "blk,socket=$S" --timeout $((LIMIT - 5)) -a "rounds=300 $plain"
		expect "$name-wakeups${plain:+-$plain}" 0 "wakeups: 600 requests, none was slept through"
	done
	# Front ends that are killed at any moment, with requests in flight: the next one finds all in order.
	for n in 1 2 3 4 5; do
		launch storm -m 64M --vhost-user "blk,socket=$S"
		sleep "0.0$((n * 17 % 10))"
		kill -9 $pid
		wait $pid 2>/dev/null
	done
	run virtio-blk -m 64M --vhost-user "blk,socket=$S"
	expect "$name-after-kills" 0 "virtio-blk: reset in flight"
	served "$name-end"
done

serve blk -d "$TMP/disk,ro"
before=$(cksum <"$TMP/disk")
run virtio-blk -m 64M --vhost-user "blk,socket=$S" -a ro
expect native-serve-ro 0
if [ "$(cksum <"$TMP/disk")" = "$before" ]; then ok native-serve-ro-file; else not_ok native-serve-ro-file "the file changed"; fi
served native-serve-ro-end

# A front end that goes away beneath a guest's back-end, and a back-end that goes away beneath its guest.
serve blk -d "$TMP/disk"
launch spin -m 64M --vhost-user "blk,socket=$S" --timeout 100
await grep -q 'spin: for ever' "$TMP/out"
kill -9 $back
wait $back 2>/dev/null
await grep -q 'is gone' "$TMP/err"
kill -TERM $pid
over
expect native-serve-killed 143
says native-serve-killed-said "is gone: it closed the connection"
for _ in $(seq 1200); do [ -e "$S" ] || break; sleep 0.05; done
if [ -e "$S" ]; then not_ok native-serve-killed-socket "$S is left"; else ok native-serve-killed-socket; fi

if ! command -v python3 >/dev/null; then
	skip native-serve-hostile "no python3"
else
	for part in '' more; do
		serve rng
		# shellcheck disable=SC2086 # a word, or none
		timeout 250 python3 tests/native/serve-hostile.py "$S" "$TMP/back" $part ||
			not_ok "native-serve-hostile-$part" "it broke off: $(tail -n 1 "$TMP/back")"
		kill -TERM $back
		status=0
		wait $back || status=$?
		if [ $status = 143 ]; then ok "native-serve-hostile-end${part:+-$part}"; else not_ok "native-serve-hostile-end${part:+-$part}" "status $status"; fi
	done
fi
