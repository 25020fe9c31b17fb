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
rig_load x86
why=$(rig_missing)
[ -z "$why" ] || { rig_say "$why"; exit 69; }

work=$(mktemp -d "$rig_dir/measure-fs.XXXXXX")
trap 'rm -rf "$work"' EXIT
job=$work/job extra=$work/extra
mkdir -p "$job" "$extra/rig" "$extra/bin"
files=${FILES:-400}
cp "$(rig_program fs)" "$extra/bin/fs"
cat >"$extra/rig/job" <<GUEST
dmesg -n 1
mkdir -p /mnt/fs
mount -t virtiofs share /mnt/fs || echo "RIG-MARK no mount"
now() { cut -d' ' -f1 /proc/uptime; }
fs tree /mnt/fs/warm 16
a=\$(now); fs tree /mnt/fs/tree $files; b=\$(now)
dd if=/mnt/fs/large of=/dev/null bs=1M 2>/dev/null; c=\$(now)
echo "RIG-MARK \$a \$b \$c"
sync
mount -o remount,ro /
reboot -f
GUEST
rig_root_disk "$job/root.img" 16 "$extra"
rig_job_virtiofsd "$job"
cp "$(rig_guest_kernel)" "$job/kernel"
# shellcheck disable=SC2086
cp "$(rig_guest_initrd measure-fs $rig_measure_modules virtiofs)" "$job/initrd"
cp "$(rig_program measure)" "$job/measure"

vmms=${MEASURE_VMMS:-hvrun microvm}
case $vmms in *hvrun*) cp "$(rig_hvrun)" "$job/hvrun" ;; esac
case $vmms in *microvm*) rig_job_microvm "$job" ;; esac

cat >"$job/lib" <<'L1'
cp /job/root.img /tmp/
mkdir -p /tmp/share
dd if=/dev/zero of=/tmp/share/large bs=1M count=32 2>/dev/null
cd /tmp
/job/measure credit
hvrun() {
	/job/hvrun -k /job/kernel -i /job/initrd -m 256M -d root.img --share /tmp/share,tag=share -a quiet
}
microvm() {
	/usr/lib/qemu/virtiofsd --socket-path=/tmp/fs.sock -o source=/tmp/share -o sandbox=chroot -o xattr \
		-o cache=auto --rlimit-nofile=0 >/tmp/fs.log 2>&1 &
	while [ ! -S /tmp/fs.sock ]; do sleep 0.1; done
	LD_LIBRARY_PATH=/job/microvm /job/microvm/ld-linux-x86-64.so.2 /job/microvm/qemu -L /job/microvm/fw \
		-M microvm,x-option-roms=off,rtc=on,memory-backend=ram -enable-kvm -cpu host -m 256 -smp 1 \
		-object memory-backend-memfd,id=ram,size=256M,share=on -nodefaults \
		-no-user-config -nographic -no-reboot -serial stdio -kernel /job/kernel -initrd /job/initrd \
		-drive id=d,file=root.img,format=raw,if=none -device virtio-blk-device,drive=d \
		-chardev socket,id=c,path=/tmp/fs.sock -device vhost-user-fs-device,chardev=c,tag=share \
		-append "console=ttyS0 reboot=t quiet"
}
L1
for v in $vmms; do
	rig_l1_root >"$job/run"
	printf '. /job/lib\n%s </dev/null\n[ ! -f /tmp/fs.log ] || cat /tmp/fs.log\nexit 0\n' "$v" >"$job/main"
	for memory in 1536 1528 1520; do
		tests/rig/rig -i -a x86 -m "$memory" -t "${MEASURE_LIMIT:-600}" -l "$work/log" "$job" && break
		rig_say "$v: once more"
	done
	cp "$work/log" "$rig_dir/measure-fs-$v.log"
	tr -d '\r' <"$work/log" | sed -n "s/^RIG-MARK \\([0-9. ]*\\)$/$v \\1/p" >>"$work/times"
done
awk -v vmms="$vmms" -v files="$files" '
	{ small[$1] = $3 - $2; large[$1] = $4 - $3 }
	END {
		n = split(vmms, name, " ")
		printf "| |"; for (i = 1; i <= n; i++) printf " %s |", name[i]; printf "\n|---|"
		for (i = 1; i <= n; i++) printf "---:|"
		printf "\n| %d small files: made, read, renamed, linked, some removed (s) |", files
		for (i = 1; i <= n; i++) printf " %.2f |", small[name[i]]
		printf "\n| 32 MiB read (MiB/s) |"
		for (i = 1; i <= n; i++) printf(large[name[i]] ? " %.0f |" : " - |", 32 / large[name[i]])
		printf "\n"
	}' "$work/times"
