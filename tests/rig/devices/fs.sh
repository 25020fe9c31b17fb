# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-fs through vhost-user: two shares served by the distribution's own virtiofsd, one of them
# read-only; a build-like workload; what the host changes meanwhile; links that lead out; the driver
# taken away and bound again.

fs_files() { if [ -n "${HVRUN_TEST_LONG:-}" ]; then echo 3000; else echo 64; fi; }

prepare() {
	cp "$(rig_program fs)" "$extra/bin/fs" || return 1
	# L1's own file system is in memory and has no extended attributes.
	truncate -s 16M "$job/fs.img" &&
		PATH=$PATH:/usr/sbin:/sbin mke2fs -q -t ext4 -O ^has_journal -N 8192 "$job/fs.img" || return 1
	rig_job_virtiofsd "$job"
}

l1_modules() {
	echo brd
	[ "$rig_arch" != riscv ] || echo crc32c_generic ext4
}

guest_modules() { echo virtiofs; }

options() { echo "--share /tmp/fs-rw,tag=rw --share /tmp/fs-ro,ro"; }

l1_before() {
	cat <<'L1'
mkdir -p /tmp/fs-rw /tmp/fs-ro/sub
cat /job/fs.img >/dev/ram0
mount -t ext4 /dev/ram0 /tmp/fs-rw
mkdir /tmp/fs-rw/sub
echo secret >/tmp/fs-secret
for d in /tmp/fs-rw /tmp/fs-ro; do
	echo "from the host" >$d/host
	ln -s /tmp/fs-secret $d/absolute
	ln -s ../fs-secret $d/relative
	ln -s ../../fs-secret $d/sub/relative
done
L1
}

l1_during() {
	cat <<'L1'
seen devices FS-READY
echo "changed by the host" >/tmp/fs-rw/host
echo "made by the host" >/tmp/fs-rw/sub/new
rm /tmp/fs-rw/gone
echo fs-changed
L1
}

guest() {
	echo "files=$(fs_files)"
	cat <<'GUEST'
mkdir -p /mnt/rw /mnt/ro
check fs-mount mount -t virtiofs rw /mnt/rw
check fs-mount-ro mount -t virtiofs share0 /mnt/ro
check fs-read is "$(cat /mnt/rw/host)" "from the host"
check fs-tree fs tree /mnt/rw/tree $files
check fs-mmap fs mmap /mnt/rw/map
check fs-xattr fs xattr /mnt/rw/xattr
dd if=/dev/urandom of=/tmp/big bs=64k count=32 2>/dev/null
cp /tmp/big /mnt/rw/big
sync
echo 3 >/proc/sys/vm/drop_caches
check fs-big cmp /tmp/big /mnt/rw/big
echo x >/mnt/rw/gone
sync
echo FS-READY
typed fs-changed
sleep 2 # what was looked at is believed for a second
check fs-host-change is "$(cat /mnt/rw/host)" "changed by the host"
check fs-host-new is "$(cat /mnt/rw/sub/new)" "made by the host"
check fs-host-gone is "$(ls /mnt/rw/gone 2>/dev/null)" ""
nothing() { for f in "$@"; do ! grep -q secret "$f" 2>/dev/null || { echo "$f"; return 1; }; done; }
check fs-threat-21-links nothing /mnt/rw/absolute /mnt/rw/relative /mnt/rw/sub/relative /mnt/ro/absolute \
	/mnt/ro/relative /mnt/rw/../fs-secret
check fs-ro-read is "$(cat /mnt/ro/host)" "from the host"
refused() { ! "$@" 2>/dev/null || { echo "$*"; return 1; }; }
mount -o remount,rw /mnt/ro 2>/dev/null
check fs-ro-append refused sh -c 'echo x >>/mnt/ro/host'
check fs-ro-new refused touch /mnt/ro/new
check fs-ro-mkdir refused mkdir /mnt/ro/dir
check fs-ro-rm refused rm -f /mnt/ro/host
check fs-ro-mv refused mv /mnt/ro/host /mnt/ro/other
check fs-ro-chmod refused chmod 777 /mnt/ro/host
check fs-ro-ln refused ln /mnt/ro/host /mnt/ro/link
rebind() {
	umount /mnt/rw || return 1
	device=$(basename "$(ls -d /sys/bus/virtio/drivers/virtiofs/virtio* | head -n 1)")
	for turn in 1 2; do
		echo "$device" >/sys/bus/virtio/drivers/virtiofs/unbind || return 1
		echo "$device" >/sys/bus/virtio/drivers/virtiofs/bind || return 1
		mount -t virtiofs rw /mnt/rw && cmp /tmp/big /mnt/rw/big && umount /mnt/rw || return 1
	done
}
check fs-rebind rebind
umount /mnt/ro
GUEST
}

l1_after() {
	cat <<'L1'
check fs-l1-big is "$(cat /tmp/fs-rw/big | wc -c)" 2097152
check fs-l1-tree is "$(find /tmp/fs-rw/tree -type f | wc -l)" "$(cat /tmp/fs-rw/tree/count)"
check fs-l1-ro is "$(find /tmp/fs-ro | wc -l) $(cat /tmp/fs-ro/host)" "6 from the host"
check fs-l1-secret is "$(cat /tmp/fs-secret)" secret
waited=0
while [ -n "$(pidof virtiofsd)" ] && [ $((waited += 1)) -le 600 ]; do sleep 0.1; done
check fs-l1-orphans is "$(pidof virtiofsd)" ""
L1
}

judge() {
	from_guest fs-mount fs-mount-ro fs-read fs-tree fs-mmap fs-xattr fs-big fs-host-change \
		fs-host-new fs-host-gone fs-threat-21-links fs-ro-read fs-ro-append fs-ro-new fs-ro-mkdir \
		fs-ro-rm fs-ro-mv fs-ro-chmod fs-ro-ln fs-rebind
	from_guest fs-l1-big fs-l1-tree fs-l1-ro fs-l1-secret fs-l1-orphans
}
