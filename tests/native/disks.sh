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
: >"$TMP/first"
TMPDIR=$TMP/over "$HVRUN" -k "$GUESTS/spin.elf" -m 64M -a sleep -d "$TMP/base,cow" </dev/null >"$TMP/first" 2>&1 &
first=$!
until grep -q . "$TMP/first" || ! kill -0 $first 2>/dev/null; do sleep 0.05; done
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

# Queues and limits: what the guest sees, and that a limit holds.
truncate -s 1M "$TMP/many"
run virtio-blk -m 64M -d "$TMP/many,queues=16,iops=1000000,bw=1G"
expect native-queues 0 "virtio-blk: id many, 2048 sectors, indirect, event index"
begin=$(date +%s%N)
run copy-disk -m 64M -d "$TMP/many,ro,bw=2M" -d "$TMP/base"
took=$((($(date +%s%N) - begin) / 1000000))
expect native-bw 0
# 1 MiB at 2 MiB a second, of which a tenth of a second's worth passes at once
if [ "$took" -ge 400 ]; then ok native-bw-held; else not_ok native-bw-held "it took $took ms"; fi

# Growing while the guest runs.
S=$TMP/socket
# lines N: waits until the guest has printed N lines.
lines() { await awk -v n="$1" 'END { exit NR < n }' "$TMP/out"; }
truncate -s 64K "$TMP/grow" "$TMP/other"
launch grow -m 64M --timeout 250 --control "$S" -d "$TMP/grow" -d "$TMP/other,direct" -d "$TMP/base,cow" \
	-d "$TMP/base,ro" -a times=2
lines 1
ctl native-resize 0 '' resize vda 128K
lines 2
ctl native-resize-by-name 0 '' resize "$TMP/other" 1M
ctl native-resize-shrinks 71 'it has 131072 bytes, and a disk never shrinks' resize vda 64K
ctl native-resize-odd 71 'not a multiple of 512' resize vda 200001
ctl native-resize-cow 71 'a disk with cow keeps its size' resize vdc 8M
ctl native-resize-ro 71 'is read-only' resize vdd 8M
ctl native-resize-nobody 71 'has no disk vde' resize vde 8M
ctl native-resize-word 64 'not a size' resize vda lots
ctl native-resize-again 0 '' resize vda 1M
over
expect native-resize-seen 0 "grow: 2048 sectors"
if [ "$(grep -c '^grow: ' "$TMP/out.lines") $(sed -n 2p "$TMP/out.lines")" = "3 grow: 256 sectors" ]; then
	ok native-resize-each
else
	not_ok native-resize-each "$(last_words)"
fi
is_size() { if [ "$(stat -c %s "$2")" = "$3" ]; then ok "$1"; else not_ok "$1" "$(stat -c %s "$2") bytes"; fi; }
is_size native-resize-file "$TMP/grow" 1048576
is_size native-resize-direct-file "$TMP/other" 1048576

# Block devices, where this test may make one.
if [ "$(id -u)" = 0 ] && truncate -s 1M "$TMP/backing" && loop=$(losetup -f --show "$TMP/backing" 2>"$TMP/why"); then
	run virtio-blk -m 64M -d "$loop,serial=LOOP"
	expect native-block-device 0 "virtio-blk: id LOOP, 2048 sectors, indirect, event index"
	run virtio-blk -m 64M -d "$loop,cow,serial=LOOP"
	expect native-block-device-cow 0 "virtio-blk: id LOOP, 2048 sectors, indirect, event index"
	launch grow -m 64M --timeout 250 --control "$S" -d "$loop"
	lines 1
	ctl native-block-device-full 71 'the block device has less' resize vda 2M
	truncate -s 2M "$TMP/backing"
	losetup -c "$loop"
	ctl native-block-device-grown 0 '' resize vda 2M
	over
	expect native-block-device-seen 0 "grow: 4096 sectors"
	losetup -d "$loop"
	# Sectors of 4096 bytes: what the device tells is what the medium has, and smaller requests are served all the same.
	if loop=$(losetup -f --show -b 4096 "$TMP/backing" 2>"$TMP/why"); then
		run virtio-blk -m 64M -d "$loop,serial=4K" -a units=4096
		expect native-block-device-4096 0 "virtio-blk: id 4K, 4096 sectors, indirect, event index"
		run virtio-blk -m 64M -d "$loop,serial=4K,cow" -a units=4096
		expect native-block-device-4096-cow 0 "virtio-blk: id 4K, 4096 sectors, indirect, event index"
		run virtio-blk -m 64M -d "$loop,serial=4K,direct"
		expect native-block-device-4096-direct 65
		says native-block-device-4096-direct-words 'not possible here in units of 512 bytes'
		losetup -d "$loop"
	else
		skip native-block-device-4096 "no loop device of such sectors: $(head -n 1 "$TMP/why")"
	fi
else
	skip native-block-device "no loop device can be made here: $(head -n 1 "$TMP/why" 2>/dev/null)"
fi
