# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-pmem: a file system in a file, mounted by Linux's driver, read whole, and not written.

guest_modules() { echo virtio_pmem nd_pmem; }
options() { echo "--pmem /tmp/pmem.img"; }

prepare() {
	mkdir -p "$work/pmem" && head -c 300000 /dev/urandom >"$work/pmem/data" &&
		cp "$work/pmem/data" "$extra/rig/pmem.data" &&
		PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -d "$work/pmem" "$job/pmem.img" 4096 2>&1
}

l1_before() { echo 'cp /job/pmem.img /tmp/pmem.img'; }

guest() {
	cat <<'GUEST'
mkdir -p /tmp/pmem
check pmem-mount mount -t ext4 -o ro /dev/pmem0 /tmp/pmem
check pmem-data cmp /tmp/pmem/data /rig/pmem.data
umount /tmp/pmem
device=$(basename "$(ls -d /sys/bus/virtio/drivers/virtio_pmem/virtio*)")
# The driver makes its disk behind our back, some time after bind has returned.
appears() {
	n=0
	until [ -b /dev/pmem0 ]; do
		[ $((n += 1)) -lt 100 ] || { echo "no /dev/pmem0, but $(echo /dev/pmem*)"; return 1; }
		sleep 0.1
	done
}
rebind() {
	for turn in 1 2; do
		echo "$device" >/sys/bus/virtio/drivers/virtio_pmem/unbind || return 1
		echo "$device" >/sys/bus/virtio/drivers/virtio_pmem/bind || return 1
		appears || return 1
	done
	mount -t ext4 -o ro /dev/pmem0 /tmp/pmem && cmp /tmp/pmem/data /rig/pmem.data && umount /tmp/pmem
}
check pmem-rebind rebind
GUEST
}

l1_after() { echo 'check pmem-unchanged cmp /job/pmem.img /tmp/pmem.img'; }
judge() { from_guest pmem-mount pmem-data pmem-rebind pmem-unchanged; }
