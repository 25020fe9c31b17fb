#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Measures virtio-fs in the x86 rig in exact virtual time: small files made, read, renamed, linked and removed
# (tests/rig/fs.c) and one large file read, in Debian's stock guest, on a directory of L1 in memory that Debian's
# virtiofsd serves. Beside hvrun QEMU microvm of the machine's own package, with the same guest, directory and
# virtiofsd, in an L1 of its own.
#
#   measure-fs.sh                       a table for docs/measurements.md; FILES=400 small files
#   MEASURE_VMMS=hvrun measure-fs.sh    one column of it
set -eu
cd "$(dirname "$0")/../.."
. tests/rig/lib.sh
. tests/rig/beside.sh
beside_begin measure-fs
files=${FILES:-400}
cp "$(rig_program fs)" "$extra/bin/fs"
cat >"$extra/rig/job" <<GUEST
dmesg -n 1
mkdir -p /mnt/fs
mount -t virtiofs share /mnt/fs || echo "RIG-MARK no mount"
now() { cut -d' ' -f1 /proc/uptime; }
fs tree /mnt/fs/warm 16
a=\$(now); fs tree /mnt/fs/tree $files; b=\$(now)
for n in 1 2 3 4 5 6 7 8; do
	echo 1 >/proc/sys/vm/drop_caches
	dd if=/mnt/fs/large of=/dev/null bs=1M 2>/dev/null
done
c=\$(now)
echo "RIG-MARK \$a \$b \$c"
sync
mount -o remount,ro /
reboot -f
GUEST
rig_root_disk "$job/root.img" 16 "$extra"
rig_job_virtiofsd "$job"
# shellcheck disable=SC2086
beside_job $rig_measure_modules virtiofs
rig_l1_root >"$job/run"

beside_l1 >"$job/lib"
cat >>"$job/lib" <<'L1'
cp /job/root.img /tmp/
mkdir -p /tmp/share
dd if=/dev/zero of=/tmp/share/large bs=1M count=32 2>/dev/null
cd /tmp
/job/measure credit
hvrun() {
	/job/hvrun -k /job/kernel -i /job/initrd -m 256M -d root.img --share /tmp/share,tag=share -a quiet
}
microvm() {
	/usr/lib/qemu/virtiofsd --socket-path=/tmp/fs.sock -o source=/tmp/share -o sandbox=namespace -o xattr \
		-o cache=auto --rlimit-nofile=0 >/tmp/fs.log 2>&1 &
	while [ ! -S /tmp/fs.sock ]; do sleep 0.1; done
	qemu ,memory-backend=ram -object memory-backend-memfd,id=ram,size=256M,share=on \
		-chardev socket,id=c,path=/tmp/fs.sock -device vhost-user-fs-device,chardev=c,tag=share
	sed 's/^/virtiofsd: /' /tmp/fs.log
}
L1
# shellcheck disable=SC2317
marks() { sed -n "s/^RIG-MARK \\([0-9. ]*\\)$/$1 \\1/p" "$2" >>"$work/times"; }
beside_run main marks
beside_head
awk -v vmms="$vmms" -v files="$files" '
	{ small[$1] = $3 - $2; large[$1] = $4 - $3 }
	END {
		n = split(vmms, name, " ")
		printf "| %d small files: made, read, renamed, linked, some removed (s) |", files
		for (i = 1; i <= n; i++) printf " %.2f |", small[name[i]]
		printf "\n| 32 MiB read, eight times (MiB/s) |"
		for (i = 1; i <= n; i++) printf(large[name[i]] ? " %.0f |" : " - |", 8 * 32 / large[name[i]])
		printf "\n"
	}' "$work/times"
