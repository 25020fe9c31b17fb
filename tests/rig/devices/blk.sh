# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-blk: a second disk whose driver is taken away and bound again, also while it is read.

options() { echo "--disk /tmp/blk.img,serial=second"; }
l1_before() { echo 'truncate -s 4M /tmp/blk.img'; }

guest() {
	cat <<'GUEST'
for disk in /dev/vd?; do
	[ "$(cat "/sys/block/${disk#/dev/}/serial")" != second ] || break
done
device=$(basename "$(readlink -f "/sys/block/${disk#/dev/}/device")")
dd if=/dev/urandom of=/tmp/blk.data bs=64k count=8 2>/dev/null
rebind() {
	dd if=/tmp/blk.data of="$disk" bs=64k conv=fsync 2>/dev/null || return 1
	for turn in 1 2 3; do
		dd if="$disk" of=/dev/null bs=64k 2>/dev/null &
		echo "$device" >/sys/bus/virtio/drivers/virtio_blk/unbind || return 1
		wait
		[ ! -b "$disk" ] || { echo "turn $turn: $disk is still there"; return 1; }
		echo "$device" >/sys/bus/virtio/drivers/virtio_blk/bind || return 1
		head -c 524288 "$disk" | cmp - /tmp/blk.data || return 1
	done
}
check blk-rebind rebind
sha256sum /tmp/blk.data | cut -d' ' -f1 | sed 's/^/BLK-SUM /'
GUEST
}

l1_after() {
	# shellcheck disable=SC2016
	echo 'say "BLK-HOST $(head -c 524288 /tmp/blk.img | sha256sum | cut -d" " -f1)"'
}

judge() {
	from_guest blk-rebind
	is "$rig_arch-$prefix-blk-kept" "$(sed -n 's/^BLK-HOST \([0-9a-f]*\).*/\1/p' "$log")" \
		"$(sed -n 's/^BLK-SUM \([0-9a-f]*\).*/\1/p' "$log")"
}
