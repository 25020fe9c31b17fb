#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Virtio devices by real drivers, good and evil, and what the disks' files hold afterwards.
. "$(dirname "$0")/common"
need_guests

run virtio-rng -m 64M
expect native-virtio-rng 0

truncate -s 1M "$TMP/disk"
run virtio-blk -m 64M -d "$TMP/disk,serial=SERIAL-4711"
expect native-virtio-blk 0 \
	"virtio-blk: id SERIAL-4711, 2048 sectors, indirect, event index"
if grep -qx 'virtio-blk: reset in flight' "$TMP/out.lines"; then
	ok native-virtio-blk-reset-in-flight
else
	not_ok native-virtio-blk-reset-in-flight "$(last_words)"
fi

# bytes FILE SECTOR COUNT: text of a file, by sector.
bytes() { dd if="$1" bs=1 skip=$(($2 * 512)) count="$3" 2>/dev/null; }

if [ "$(bytes "$TMP/disk" 8 32)" = hvrun-guest-datahvrun-guest-data ]; then
	ok native-virtio-blk-file
else
	not_ok native-virtio-blk-file "sector 8 of the file is not what the guest wrote"
fi
wrong=
for sector in 16 23 31; do
	word=$(bytes "$TMP/disk" $sector 512 | od -An -v -tu8 -w8 | sort -u | tr -d ' \n')
	[ "$word" = "$sector" ] || wrong="$wrong $sector:$word"
done
if [ -z "$wrong" ]; then
	ok native-virtio-blk-in-flight
else
	not_ok native-virtio-blk-in-flight "sectors hold other words:$wrong"
fi
if [ -z "$(bytes "$TMP/disk" 14 512 | tr -d '\000')" ]; then
	ok native-virtio-blk-zeroes
else
	not_ok native-virtio-blk-zeroes "sector 14 is not zero"
fi
if [ "$(stat -c %s "$TMP/disk")" -eq 1048576 ]; then
	ok native-virtio-blk-size
else
	not_ok native-virtio-blk-size "the file's size changed to $(stat -c %s "$TMP/disk")"
fi

# A read-only disk: refused writes, and the file as it was.
before=$(cksum <"$TMP/disk")
chmod a-w "$TMP/disk"
run virtio-blk -m 64M -d "$TMP/disk,ro" -a ro
expect native-virtio-blk-ro 0
if [ "$(cksum <"$TMP/disk")" = "$before" ]; then
	ok native-virtio-blk-ro-file
else
	not_ok native-virtio-blk-ro-file "the file changed"
fi
chmod u+w "$TMP/disk"

# Disks are numbered in the order of the command line.
truncate -s 64K "$TMP/a"
truncate -s 128K "$TMP/b"
truncate -s 256K "$TMP/c"
run virtio-blk -m 64M -d "$TMP/a" -d "$TMP/b,serial=second" -d "$TMP/c" -a disk=1
expect native-virtio-blk-second 0 "virtio-blk: id second, 256 sectors, indirect, event index"
if [ "$(bytes "$TMP/b" 8 16)" = hvrun-guest-data ] &&
	[ -z "$(tr -d '\000' <"$TMP/a")$(tr -d '\000' <"$TMP/c")" ]; then
	ok native-virtio-blk-others
else
	not_ok native-virtio-blk-others "the write did not go to the second disk alone"
fi
run virtio-blk -m 64M -d "$TMP/a" -d "$TMP/b,serial=second" -d "$TMP/c" -a disk=3
expect native-virtio-blk-none 1 "FAIL: no such disk"

if "$HVRUN" --help 2>&1 | grep -q -- --io-uring; then
	truncate -s 1M "$TMP/uring"
	run virtio-blk -m 64M --io-uring -d "$TMP/uring"
	expect native-virtio-blk-io-uring 0
fi

run virtio-console -m 64M --console virtio
expect native-virtio-console 0 "virtio-console: a line"
if grep -qx 'virtio-console: an indirect line' "$TMP/out.lines"; then
	ok native-virtio-console-indirect
else
	not_ok native-virtio-console-indirect "$(last_words)"
fi
echo "some words typed" >"$TMP/typed"
INPUT=$TMP/typed
run virtio-console -m 64M --console virtio -a input
INPUT=
expect native-virtio-console-input 0 "some words typed"

# The same devices as PCI functions: vectors, doorbells that move, with every list of the sandbox.
run pci -m 64M --virtio pci -d "$TMP/a"
expect native-pci 0 "pci: 40 interrupts, after a reset"
run pci -m 64M -d "$TMP/a"
expect native-pci-none 1 "FAIL: no virtio-rng on the bus"
run pci -m 64M --virtio pci --sandbox log
expect native-pci-sandbox 0 "pci: 40 interrupts, after a reset"
if grep -q 'sandbox' "$TMP/err"; then not_ok native-pci-sandbox-silent "$(last_words)"; else ok native-pci-sandbox-silent; fi

run faults -m 64M
expect native-faults 0 "faults: a page fault is taken"
run faults -m 64M -d "$TMP/a" -d "$TMP/b" --console virtio
expect native-faults-devices 0
run ports -m 64M
expect native-ports 0 "ports: all is well"

truncate -s 64K "$TMP/evil"
before=$(cksum <"$TMP/evil")
run hostile -m 64M -d "$TMP/evil"
expect native-hostile 0 "hostile: done"
if grep -qx 'hostile: virtio-blk stands odd states' "$TMP/out.lines"; then
	ok native-hostile-disk
else
	not_ok native-hostile-disk "$(last_words)"
fi
if [ "$(cksum <"$TMP/evil")" = "$before" ]; then
	ok native-hostile-file
else
	not_ok native-hostile-file "the disk changed, and no attack was a write"
fi

# A second processor rewrites what the device reads.
run flip -m 64M -c 2 -d "$TMP/evil"
expect native-flip 0 "flip: done"

# Accesses by dice; the seed of a failure is in its name.
seeds=6
[ -z "${HVRUN_TEST_LONG:-}" ] || seeds=200
for seed in $(seq $seeds); do
	run storm -m 64M -d "$TMP/evil" --console virtio -a "seed=$seed"
	# Its console is the device under attack: the status alone tells.
	expect "native-storm-$seed" 0
done
