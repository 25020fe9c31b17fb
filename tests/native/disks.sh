#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What --disk can do beside a plain file: overlays that are thrown away.
. "$(dirname "$0")/common"
need_guests

# unchanged NAME: the base is as it was.
unchanged() {
	if [ "$(cksum <"$TMP/base")" = "$before" ]; then ok "$1"; else not_ok "$1" "the base changed"; fi
}

yes 'the base of all' | head -c 1048576 >"$TMP/base"
before=$(cksum <"$TMP/base")
mkdir "$TMP/over"
for words in cow ro,cow direct,cow cow=memory; do
	TMPDIR=$TMP/over run virtio-blk -m 64M -d "$TMP/base,$words,serial=SHARED"
	expect "native-$words" 0 "virtio-blk: id SHARED, 2048 sectors, indirect, event index"
	unchanged "native-$words-base"
done
run virtio-blk -m 64M --io-uring -d "$TMP/base,cow"
expect native-cow-io-uring 0 "virtio-blk: id base, 2048 sectors, indirect, event index"
TMPDIR=$TMP/nothing run virtio-blk -m 64M -d "$TMP/base,cow"
expect native-cow-no-tmpdir 0 "virtio-blk: id base, 2048 sectors, indirect, event index"
unchanged native-cow-no-tmpdir-base
chmod a-w "$TMP/base"
run virtio-blk -m 64M -d "$TMP/base,cow"
expect native-cow-base-may-not-be-written 0

# What the guest wrote before a reset is there after it, and nowhere after the run.
head -c 65536 /dev/zero >"$TMP/count"
run again -m 64M --reboot -d "$TMP/count,cow" -a times=3
expect native-cow-reset 3 'again: boot 4'
if [ -z "$(tr -d '\0' <"$TMP/count")" ]; then ok native-cow-reset-base; else not_ok native-cow-reset-base "the base changed"; fi

# Many share one base: readers all, and nobody may write it meanwhile.
TMPDIR=$TMP/over "$HVRUN" -k "$GUESTS/spin.elf" -m 64M -a sleep -d "$TMP/base,cow" </dev/null >"$TMP/first" 2>&1 &
first=$!
for _ in $(seq 100); do grep -q . "$TMP/first" && break; sleep 0.05; done
run virtio-blk -m 64M -d "$TMP/base,cow" -d "$TMP/base,cow"
expect native-cow-shared 0
run virtio-blk -m 64M -d "$TMP/base,ro" -a ro
expect native-cow-beside-ro 0
chmod u+w "$TMP/base"
run virtio-blk -m 64M -d "$TMP/base"
expect native-cow-locked 71
if [ -z "$(ls -A "$TMP/over")" ]; then ok native-cow-no-name; else not_ok native-cow-no-name "$(ls -A "$TMP/over")"; fi
kill -9 $first
wait $first 2>/dev/null
if [ -z "$(ls -A "$TMP/over")" ]; then ok native-cow-nothing-left; else not_ok native-cow-nothing-left "$(ls -A "$TMP/over")"; fi
unchanged native-cow-shared-base

# On top of a verified disk.
if PATH=$PATH:/usr/sbin:/sbin command -v veritysetup >/dev/null; then
	root=$(PATH=$PATH:/usr/sbin:/sbin veritysetup format "$TMP/base" "$TMP/tree" | sed -n 's/^Root hash:[[:space:]]*//p')
	run virtio-blk -m 64M -d "$TMP/base,cow,verity=$TMP/tree,root-hash=$root"
	expect native-cow-verity 0 "virtio-blk: id base, 2048 sectors, indirect, event index"
	unchanged native-cow-verity-base
	# A block that was changed is an error where the overlay needs it, and nothing to who overwrites it whole.
	cp "$TMP/base" "$TMP/changed"
	printf X | dd of="$TMP/changed" bs=1 seek=1048000 conv=notrunc 2>/dev/null
	run virtio-blk -m 64M -d "$TMP/changed,cow,verity=$TMP/tree,root-hash=$root"
	expect native-cow-verity-changed 13
	says native-cow-verity-changed-said "the data was changed"
else
	skip native-cow-verity 'there is no veritysetup here'
fi
