#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Devices that other processes serve, with real ones: QEMU's storage daemon (qcow2, and as a stranger
# at a socket) and virtiofsd. What they leave behind, and what happens when they die or are missing.
. "$(dirname "$0")/common"
need_guests

# Sanitizers' leak checks run in the daemons' parents too; the door is open there, so only ends differ.
storage=$(command -v qemu-storage-daemon)
if [ -z "$storage" ] || ! command -v qemu-img >/dev/null; then
	skip native-qcow2 "qemu-storage-daemon or qemu-img is not installed"
else
	qemu-img create -q -f qcow2 "$TMP/disk.qcow2" 1M
	run virtio-blk -m 64M -d "$TMP/disk.qcow2,format=qcow2"
	expect native-qcow2 0 "virtio-blk: id vhost_user_blk, 2048 sectors, indirect, event index"
	if grep -qx 'virtio-blk: reset in flight' "$TMP/out.lines"; then
		ok native-qcow2-reset-in-flight
	else
		not_ok native-qcow2-reset-in-flight "$(last_words)"
	fi
	if qemu-img check -q "$TMP/disk.qcow2" >"$TMP/check" 2>&1; then
		ok native-qcow2-check
	else
		not_ok native-qcow2-check "$(tail -n 2 "$TMP/check")"
	fi
	qemu-img convert -f qcow2 -O raw "$TMP/disk.qcow2" "$TMP/disk.raw"
	text=$(dd if="$TMP/disk.raw" bs=512 skip=8 count=1 2>/dev/null | head -c 32)
	if [ "$text" = hvrun-guest-datahvrun-guest-data ]; then
		ok native-qcow2-content
	else
		not_ok native-qcow2-content "sector 8 is not what the guest wrote: $text"
	fi
	# No doorbell and no interrupt is lost on the way through another process, with event index and without.
	rounds=300 # a multiple of three: one, two and three requests at a time
	[ -z "${HVRUN_TEST_LONG:-}" ] || rounds=21000
	for words in "rounds=$rounds" "rounds=$rounds plain"; do
		run wakeups -m 64M -d "$TMP/disk.qcow2,format=qcow2" --timeout $((LIMIT - 5)) -a "$words"
		expect "native-vhost-user-wakeups${words#rounds="$rounds"}" 0 \
			"wakeups: $((rounds * 2)) requests, none was slept through"
	done
	before=$(cksum <"$TMP/disk.qcow2")
	run virtio-blk -m 64M -d "$TMP/disk.qcow2,format=qcow2,ro" -a ro
	expect native-qcow2-ro 0
	if [ "$(cksum <"$TMP/disk.qcow2")" = "$before" ]; then
		ok native-qcow2-ro-file
	else
		not_ok native-qcow2-ro-file "the file changed"
	fi

	# An overlay: only with the backing file that the user names, whatever its header says.
	qemu-img create -q -f qcow2 -b /etc/passwd -F raw "$TMP/over.qcow2" 1M
	run virtio-blk -m 64M -d "$TMP/over.qcow2,format=qcow2"
	expect native-threat-22-header-names-a-file 65
	says native-threat-22-said "its header names a backing file, which is not followed"
	head -c 1048576 /dev/zero >"$TMP/base.raw"
	run virtio-blk -m 64M -d "$TMP/over.qcow2,format=qcow2,backing=$TMP/base.raw"
	expect native-qcow2-backing 0
	if qemu-img check -q "$TMP/over.qcow2" && [ -z "$(tr -d '\0' <"$TMP/base.raw")" ]; then
		ok native-qcow2-backing-untouched
	else
		not_ok native-qcow2-backing-untouched "the base changed, or the overlay is not clean"
	fi
	# A raw disk into which a guest wrote a header stays a raw disk.
	cp "$TMP/over.qcow2" "$TMP/raw.img"
	truncate -s 1M "$TMP/raw.img"
	run virtio-blk -m 64M -d "$TMP/raw.img"
	expect native-threat-22-raw-is-not-probed 0 \
		"virtio-blk: id raw.img, 2048 sectors, indirect, event index"
	qemu-img create -q -f qcow2 -o "data_file=$TMP/data,data_file_raw=on" "$TMP/split.qcow2" 1M
	run virtio-blk -m 64M -d "$TMP/split.qcow2,format=qcow2"
	expect native-threat-22-data-file 65
	says native-threat-22-data-file-said "its data lies in another file"
	run virtio-blk -m 64M -d "$TMP/raw.img,format=qcow2,ro,backing=$TMP/nothing"
	expect native-qcow2-backing-missing 66

	# Somebody else's back-end at a socket, which dies while the guest runs.
	truncate -s 1M "$TMP/served"
	"$storage" --blockdev "driver=file,node-name=f,filename=$TMP/served" --export \
		"type=vhost-user-blk,id=e,node-name=f,addr.type=unix,addr.path=$TMP/blk.sock,writable=on" &
	daemon=$!
	disown $daemon
	until listening "$TMP/blk.sock" || ! kill -0 $daemon 2>/dev/null; do sleep 0.05; done
	run virtio-blk -m 64M --vhost-user "blk,socket=$TMP/blk.sock"
	expect native-vhost-user-blk 0 "virtio-blk: id vhost_user_blk, 2048 sectors, indirect, event index"
	launch spin -m 64M --vhost-user "blk,socket=$TMP/blk.sock" --timeout 100
	await grep -q 'spin: for ever' "$TMP/out"
	kill -9 $daemon
	await grep -q 'is gone' "$TMP/err"
	kill -TERM $pid
	over
	expect native-vhost-user-death 143
	says native-vhost-user-death-said "is gone: it closed the connection"
fi
run hello -m 64M --vhost-user "blk,socket=$TMP/nobody.sock"
expect native-vhost-user-nobody 66
says native-vhost-user-nobody-said "cannot connect"

for place in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do [ -x "$place" ] && break; done
mkdir "$TMP/share"
if [ ! -x "$place" ]; then
	skip native-share "virtiofsd is not installed"
elif [ "$(id -u)" != 0 ] && ! unshare -r true 2>/dev/null; then
	skip native-share "this host gives no user namespaces, and this is not root"
else
	run hello -m 64M --share "$TMP/share" --share "$TMP/share,ro"
	expect native-share 0 "hello: a guest of hvrun"
	if [ "$(grep -c . "$TMP/err")" = 1 ]; then
		ok native-share-quiet
	else
		not_ok native-share-quiet "more than the guest's end is said: $(last_words)"
	fi
	# Whatever ends hvrun, nobody stays.
	launch spin -m 64M --share "$TMP/share"
	left() { pgrep -f "source=$TMP/share" | wc -l; }
	await grep -q 'spin: for ever' "$TMP/out"
	there=$(left)
	kill -9 $pid
	wait $pid 2>/dev/null
	for _ in $(seq 1200); do [ "$(left)" -gt 0 ] || break; sleep 0.05; done
	if [ "$there" -gt 0 ] && [ "$(left)" = 0 ]; then
		ok native-share-no-orphan
	else
		not_ok native-share-no-orphan "$there daemons before, $(left) after hvrun was killed"
	fi
fi
HVRUN_VIRTIOFSD=/bin/false run hello -m 64M --share "$TMP/share"
expect native-share-dies 71
says native-share-dies-said "its back-end virtiofsd cannot be used"
HVRUN_VIRTIOFSD=$TMP/nothing run hello -m 64M --share "$TMP/share"
expect native-share-missing 71
run hello -m 64M --share "$TMP/nothing"
expect native-share-no-directory 66
run hello -m 64M --share "$0"
expect native-share-is-file 65
