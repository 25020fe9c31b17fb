#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Measures virtio-blk in the x86 rig in exact virtual time: direct reads and writes of 4 KiB at random places and of
# 1 MiB one after another, by Linux' own asynchronous I/O in Debian's stock guest (tests/rig/blk.c), on a
# file of 64 MiB in L1's memory. Beside hvrun QEMU microvm of the machine's own package, with the same guest and
# file, in an L1 of its own.
#
#   measure-blk.sh                       a table for docs/measurements.md
#   MEASURE_VMMS=hvrun measure-blk.sh    one column of it
#   HVRUN_DISK=,queues=2 ...             more words for hvrun's disk
#   HVRUN_ARGS=--io-uring ...            and for hvrun
#   MEDIUM=ext4 ...                      the file on ext4, on a loop device in that memory: there VMMs need threads
set -eu
cd "$(dirname "$0")/../.."
. tests/rig/lib.sh
. tests/rig/beside.sh
beside_begin measure-blk
cp "$(rig_program blk)" "$extra/bin/blk"
# The kinds of load, a line each: name, then words of blk load.
kinds='4 KiB random reads, 1 at a time|read random 4096 1 1500
4 KiB random reads, 16 at a time|read random 4096 16 4000
4 KiB random writes, 1 at a time|write random 4096 1 1500
4 KiB random writes, 16 at a time|write random 4096 16 4000
1 MiB sequential reads, 4 at a time|read next 1048576 4 128
1 MiB sequential writes, 4 at a time|write next 1048576 4 128'
{
	echo 'dmesg -n 1'
	# Once over all of it: no page of the file is new afterwards.
	echo 'blk load /dev/vdb write next 1048576 4 64 >/dev/null'
	echo "$kinds" | awk -F'|' '{ print "echo \"RIG-MARK " NR " $(blk load /dev/vdb " $2 " | sed \"s/.* in \\([0-9]*\\) us/\\1/\")\"" }'
	printf 'sync\nmount -o remount,ro /\nreboot -f\n'
} >"$extra/rig/job"
rig_root_disk "$job/root.img" 16 "$extra"
# shellcheck disable=SC2086
beside_job $rig_measure_modules
[ -z "${MEDIUM:-}" ] || rig_job_modules "$job" loop
beside_l1 >"$job/lib"
cat >>"$job/lib" <<L1
cp /job/root.img /tmp/
cd /tmp
/job/measure credit
if [ -n "${MEDIUM:-}" ]; then
	while read -r m; do insmod "/job/modules/\$m"; done </job/modules.list
	truncate -s 100M fs.img
	busybox mke2fs -F fs.img >/dev/null
	mkdir fs
	busybox mount -t ext4 -o loop fs.img fs || echo "RIG: no file system"
	cp root.img fs/
	cd fs
fi
truncate -s 64M data.img
hvrun() {
	/job/hvrun -k /job/kernel -i /job/initrd -m 256M ${HVRUN_ARGS:-} -d root.img -d "data.img${HVRUN_DISK:-}" -a quiet
}
microvm() {
	qemu '' -drive id=e,file=data.img,format=raw,if=none,cache=writeback -device virtio-blk-device,drive=e
}
L1
# shellcheck disable=SC2317
marks() { sed -n "s/^RIG-MARK \\([0-9]* [0-9]*\\)$/$1 \\1/p" "$2" >>"$work/times"; }
beside_run run marks
beside_head
echo "$kinds" | awk -F'|' -v times="$work/times" -v vmms="$vmms" '
	BEGIN {
		while ((getline line < times) > 0) { split(line, f, " "); us[f[1], f[2]] = f[3] }
		n = split(vmms, name, " ")
	}
	{
		split($2, w, " ")
		mib = w[3] >= 1048576
		printf "| %s (%s) |", $1, mib ? "MiB/s" : "us each"
		for (i = 1; i <= n; i++) {
			t = us[name[i], NR]
			if (t == "") printf " - |"
			else if (mib) printf " %.0f |", w[5] * w[3] / 1048576 / (t / 1000000)
			else printf " %.1f |", t / w[5]
		}
		printf "\n"
	}'
