#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# hvrun boots Debian's stock kernel on an ext4 root disk, inside each rig that has a description
# here: one CPU with several disks, then two CPUs with a virtio console. Many checks share one
# boot, since a boot in software takes its 15 seconds, and a byte of serial console nearly a
# millisecond; each is reported by itself.
cd "$(dirname "$0")/../.." || exit 1
. tests/rig/lib.sh
. tests/rig/report.sh

# -- One CPU: the root disk, a read-only disk, a disk to discard on, entropy, input -------------
# All of it signed, by a manifest that hvrun of this architecture makes in L1, where minisign and veritysetup
# are here to make key and tree: the root disk is untrusted (the guest writes it), the read-only one verified.

guest_one() {
	cat <<'GUEST'
dmesg -n 1 # the kernel's own words would break into ours
check() { # NAME COMMAND...: RIG-CHECK NAME ok, or what the command printed
	name=$1; shift
	if said=$("$@" 2>&1); then echo "RIG-CHECK $name ok"; else
		echo "RIG-CHECK $name failed: $said" | tr '\n' ' '; echo; fi
}
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

root_is_ext4() { grep -q '^/dev/vda / ext4 rw' /proc/mounts || { cat /proc/mounts; return 1; }; }
check root root_is_ext4
check cpus is "$(nproc)" 1
check shows sh /rig/shows

echo "written by the guest" >/written
yes 'a line of text, many times over' | head -n 20000 >/big
md5sum /big | cut -d' ' -f1 >/big.md5
check sync sync
check reread sh -c 'echo 3 >/proc/sys/vm/drop_caches; [ "$(md5sum </big)" = "$(cat /big.md5)  -" ]'

check rng-driver grep -q '^virtio_rng' /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng bs=64 count=16 of=/tmp/r1 2>/dev/null
dd if=/dev/hwrng bs=64 count=16 of=/tmp/r2 2>/dev/null
check rng is "$(cat /tmp/r1 | wc -c) $(cmp -s /tmp/r1 /tmp/r2; echo $?)" "1024 1"

check ro-flag is "$(cat /sys/block/vdb/ro)" 1
check ro-serial is "$(cat /sys/block/vdb/serial)" rig-ro
check ro-content is "$(head -c 17 /dev/vdb)" "read-only content"
check ro-write sh -c '! dd if=/dev/zero of=/dev/vdb bs=4096 count=1 conv=fsync 2>/dev/null'

yes "$(printf '%01000d' 7)" | head -c 2097152 >/dev/vdc
sync
check discard blk discard /dev/vdc 0 1048576
check zero blk zero /dev/vdc 1048576 524288
check discard-reads sh -c 'dd if=/dev/vdc bs=256k count=6 iflag=direct 2>/dev/null | tr -d "\0" |
	wc -c | grep -qx 0'
check discard-rest is "$(dd if=/dev/vdc bs=256k skip=6 2>/dev/null | tr -d '\0' | wc -c)" 524288
check direct-reads blk reads /dev/vda 256 4096
sync

stty raw -echo
echo RIG-READY
got=$(head -c 5000 | md5sum)
stty sane
check input is "$got" "$(yes '0123456789' | head -c 5000 | md5sum)"
n=1
while [ $n -le 80 ]; do echo "RIG-LINE $n of the console"; n=$((n + 1)); done
GUEST
}

l1_one() {
	cat <<'L1'
. /rig/lib
cd /job
limit=$(cat limit)
for f in root.img ro.img scratch.img; do cp --sparse=always $f /tmp/ 2>/dev/null || cp $f /tmp/; done
cd /tmp
set -- --disk ro.img,ro,serial=rig-ro
words=$(cat /job/words)
if [ -f /job/ro.tree ]; then
	/job/hvrun sign -k /job/kernel -i /job/initrd -a "$words" --untrusted-disk root.img \
		-d "ro.img,ro,verity=/job/ro.tree,root-hash=$(cat /job/root-hash)" \
		--untrusted-disk scratch.img --manifest list -s /job/key.sec || exit 1
	set -- --verify-key /job/key.pub --manifest list --disk ro.img,ro,serial=rig-ro,verity=/job/ro.tree
	if /job/hvrun verify --verify-key /job/key.pub --manifest list -k /job/kernel -i /job/initrd -a "$words x" \
		--disk root.img --disk ro.img,ro,verity=/job/ro.tree --disk scratch.img; then
		echo RIG-DIFFERENCE accepted
	else
		echo "RIG-DIFFERENCE $?"
	fi
fi
echo "BLOCKS-BEFORE 2048"
{
	seen one RIG-READY
	yes 0123456789 | head -c 5000
	ended one
} | vmm one "$limit" /job/hvrun --kernel /job/kernel --initrd /job/initrd --memory 256M --cpus 1 \
	--disk root.img "$@" --disk scratch.img --append "$words"
status=$?
echo "BLOCKS-AFTER $(du -k scratch.img | cut -f1)"
cp root.img /out/
exit $status
L1
}

# signing JOB: a key, and a tree of hashes of ro.img, if this machine has the programs.
signing() {
	path=$PATH:/usr/sbin:/sbin
	PATH=$path command -v minisign >/dev/null && PATH=$path command -v veritysetup >/dev/null || return 0
	minisign -G -W -f -p "$1/key.pub" -s "$1/key.sec" >/dev/null 2>&1 || return 0
	PATH=$path veritysetup format "$1/ro.img" "$1/ro.tree" | sed -n 's/^Root hash:[[:space:]]*//p' >"$1/root-hash"
}

# run_one PREFIX [MACHINE]: the names of its reports begin with PREFIX; on that machine of the description.
run_one() {
	from_guest_prefix=$1
	one=$rig_arch-$1
	work=$rig_dir/boot-${1}one
	rm -rf "$work" && mkdir -p "$work/job" "$work/extra/rig" "$work/extra/bin"
	guest_one >"$work/extra/rig/job"
	echo "$shows" >"$work/extra/rig/shows"
	l1_one >"$work/job/run"
	echo $((rig_limit * 2 / 3)) >"$work/job/limit"
	echo "$rig_guest_append" >"$work/job/words"
	cp "$(rig_program blk)" "$work/extra/bin/blk" &&
		rig_root_disk "$work/job/root.img" 24 "$work/extra" &&
		cp "$(rig_hvrun)" "$work/job/hvrun" &&
		cp "$(rig_guest_kernel)" "$work/job/kernel" &&
		cp "$(rig_guest_initrd)" "$work/job/initrd" || return 1
	{ printf 'read-only content'; head -c 65519 /dev/zero; } >"$work/job/ro.img"
	truncate -s 2M "$work/job/scratch.img"
	signing "$work/job"
	run_rig -a "$rig_arch" ${2:+-M "$2"} -n "$rig_smp_one" -t "$rig_limit" -l "$work/log" -o "$work/out" "$work/job"
	log=$work/log

	is "${one}boot-status" "$status" 0
	if [ -f "$work/job/ro.tree" ]; then
		is "${one}signed-difference" "$(sed -n 's/^RIG-DIFFERENCE //p' "$log" | tr -d '\r')" 77
	else
		skip "${one}signed" 'there is no minisign or no veritysetup here'
	fi
	from_guest root cpus shows sync reread rng-driver rng ro-flag ro-serial ro-content ro-write \
		discard zero discard-reads discard-rest direct-reads input
	is "${one}console-complete" "$(grep -o 'RIG-LINE [0-9]* of the console' "$log" | sort -u | wc -l)" 80
	is "${one}no-words-on-stderr" "$(grep '^one err: ' "$log" | grep -vc 'hvrun: guest powered off')" 0
	after=$(sed -n 's/^BLOCKS-AFTER //p' "$log")
	if [ "${after:-9999}" -le 1024 ]; then
		ok "${one}discard-frees-blocks"
	else
		not_ok "${one}discard-frees-blocks" "2048 KiB were written, 1536 given back, $after are left"
	fi
	is "${one}file-in-image" \
		"$(PATH=$PATH:/usr/sbin:/sbin debugfs -R 'cat /written' "$work/out/root.img" 2>/dev/null)" \
		"written by the guest"
	is "${one}big-file-in-image" \
		"$(PATH=$PATH:/usr/sbin:/sbin debugfs -R 'cat /big' "$work/out/root.img" 2>/dev/null | md5sum)" \
		"$(yes 'a line of text, many times over' | head -n 20000 | md5sum)"
	if PATH=$PATH:/usr/sbin:/sbin e2fsck -fn "$work/out/root.img" >"$work/fsck" 2>&1; then
		ok "${one}image-clean"
	else
		not_ok "${one}image-clean" "e2fsck: $(tail -n 1 "$work/fsck")"
	fi
}

# -- Two CPUs, the virtio console, a reset, then a panic; on the description's other machine, if it has one --

guest_two() {
	cat <<'GUEST'
dmesg -n 1 # the kernel's own words would break into ours
check() {
	name=$1; shift
	if said=$("$@" 2>&1); then echo "RIG-CHECK $name ok"; else
		echo "RIG-CHECK $name failed: $said" | tr '\n' ' '; echo; fi
}
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
check cpus is "$(nproc)" 2
check shows sh /rig/shows
check both-run sh -c 'for c in 0 1; do
	[ "$(taskset $((1 << c)) awk "{ print \$39 }" /proc/self/stat)" = $c ] || exit 1; done'
check hvc0 grep -q '^hvc0 ' /proc/consoles
virtio_pci() { # the disk's function, by its driver, with a message for its queue
	[ "$(cat /sys/block/vda/device/../vendor)" = 0x1af4 ] && grep -q 'PCI-MSI.* virtio.*-req' /proc/interrupts &&
		! dmesg | grep 'No config space access function'; }
random() { [ "$(dd if=/dev/hwrng bs=64 count=8 2>/dev/null | wc -c)" = 512 ]; }
network() { ip addr add 10.77.0.2/24 dev eth0 && ip link set eth0 up && ping -c 2 -W 60 10.77.0.1; }
for what in $(cat /rig/checks); do
	case $what in
	pci) check pci virtio_pci ;;
	rng) check rng random ;;
	net) check net network ;;
	esac
done
md5sum /bin/busybox >/tmp/a & md5sum /bin/busybox >/tmp/b & wait
check both-read cmp /tmp/a /tmp/b
# The root disk is an overlay that is thrown away.
head -c 300000 /bin/busybox >/written
rm /to-remove
sync
echo 3 >/proc/sys/vm/drop_caches
check cow-reread sh -c 'head -c 300000 /bin/busybox | cmp - /written && [ ! -e /to-remove ]'
n=1
while [ $n -le 80 ]; do echo "RIG-LINE $n of the console"; n=$((n + 1)); done
echo RIG-READY
check input is "$(head -n 1)" "a line of input"
# The second disk has two queues, has grown just now, and outlives its driver.
check mq is "$(ls /sys/block/vdb/mq | wc -l)" 2
n=0
while [ "$(cat /sys/block/vdb/size)" = 128 ] && [ $((n += 1)) -lt 1200 ]; do sleep 0.05; done
check resized is "$(cat /sys/block/vdb/size)" 4096
check resized-end sh -c 'echo the new end | dd of=/dev/vdb bs=512 seek=4095 conv=fsync 2>/dev/null'
device=$(basename "$(readlink /sys/block/vdb/device)")
echo "$device" >/sys/bus/virtio/drivers/virtio_blk/unbind
check unbound test ! -e /sys/block/vdb
echo "$device" >/sys/bus/virtio/drivers/virtio_blk/bind
check bound is "$(dd if=/dev/vdb bs=512 skip=4095 count=1 2>/dev/null | head -n 1)" "the new end"
sync
mount -o remount,ro /
reboot -f
GUEST
}

l1_two() {
	cat <<'L1'
. /rig/lib
limit=$(cat /job/limit)
cp /job/root.img /tmp/
cd /tmp
before=$(md5sum <root.img)
truncate -s 64K grow.img
options=$(cat /job/options)
[ ! -f /job/modules.list ] || while read -r m; do insmod "/job/modules/$m"; done </job/modules.list
case $options in *tap=t0*) /job/net tap t0 && ip addr add 10.77.0.1/24 dev t0 && ip link set t0 up ;; esac
{
	seen two RIG-READY
	/job/hvrun ctl control resize vdb 2M >&2
	echo a line of input
	ended two
} | vmm two "$limit" /job/hvrun -k /job/kernel -i /job/initrd -m 256M -c 2 --console virtio -d root.img,cow -d grow.img,queues=2 \
	--control control $options -a "$(cat /job/words)"
status=$?
[ "$(md5sum <root.img)" = "$before" ] && echo "RIG-CHECK cow-base ok" || echo "RIG-CHECK cow-base it changed"
sh /job/shows && echo "RIG-CHECK host ok" || echo "RIG-CHECK host $(dmesg | grep kvm | tr '\n' '|')"
# No root disk and no initrd: the kernel panics.
vmm panic "$limit" /job/hvrun -k /job/kernel -m 256M --core core -a "$(cat /job/words)" </dev/null
# Its notes lie at the beginning of the file; L1 has the same kernel.
said=$(head -c 16384 core | grep -a -o 'OSRELEASE=[[:graph:]]*')
[ "$said" = "OSRELEASE=$(uname -r)" ] && echo "RIG-CHECK core-vmcoreinfo ok" || echo "RIG-CHECK core-vmcoreinfo '$said'"
# x86's rip in the first note is the kernel's, not the reset's that follows a panic.
pc=$(od -A n -t x8 -j 4356 -N 8 core)
case $(uname -m)$pc in
x86_64*ffffffff????????) echo "RIG-CHECK core-pc ok" ;;
x86_64*) echo "RIG-CHECK core-pc '$pc'" ;;
*) echo "RIG-CHECK core-pc ok" ;;
esac
[ ! -f /job/send-core ] || { mkdir -p /out && mv core /out/; }
lacks=$(cat /job/lacks)
[ -z "$lacks" ] || vmm lacks 200 /job/hvrun -k /job/kernel -m 256M "$lacks" </dev/null
exit $status
L1
}

# gdb reads the kernel's release by the virtual address that the core's VMCOREINFO gives.
core_in_gdb() {
	command -v gdb-multiarch >/dev/null || {
		skip "$rig_arch-core-gdb" 'gdb-multiarch is not installed'
		return 0
	}
	# struct new_utsname: sysname, nodename, release, 65 bytes each.
	head -c 16384 "$work/out/core" | tr -d '\0' >"$work/notes"
	names=$(LC_ALL=C sed -n 's/^SYMBOL(init_uts_ns)=//p' "$work/notes")
	offset=$(LC_ALL=C sed -n 's/^OFFSET(uts_namespace.name)=//p' "$work/notes")
	gdb-multiarch -nx -batch -ex 'set architecture aarch64' -ex "core $work/out/core" -ex 'info threads' \
		-ex "x/s 0x$names + ${offset:-0} + 130" -ex 'x/gx $sp' >"$work/gdb" 2>&1
	is "$rig_arch-core-gdb" "$(sed -n 's/^0x[0-9a-f]*:[[:space:]]*"\(.*\)"$/\1/p' "$work/gdb")" \
		"$(LC_ALL=C sed -n 's/^.*OSRELEASE=//p' "$work/notes")"
	is "$rig_arch-core-threads" "$(grep -c '^[* ] *[0-9][0-9]* *LWP' "$work/gdb")" 1
	# Linux has its stacks in a range of their own.
	is "$rig_arch-core-stack" "$(grep -cE '^0x[0-9a-f]+:[[:space:]]+0x[0-9a-f]+$' "$work/gdb")" 1
	rm -f "$work/out/core"
}

run_two() {
	work=$rig_dir/boot-two
	rm -rf "$work" && mkdir -p "$work/job" "$work/extra/rig"
	guest_two >"$work/extra/rig/job"
	echo here >"$work/extra/to-remove"
	echo "$rig_other_shows" >"$work/extra/rig/shows"
	echo "$rig_two_checks" >"$work/extra/rig/checks"
	echo "$rig_two_options" >"$work/job/options"
	echo "$rig_other_lacks" >"$work/job/lacks"
	echo "$rig_other_host" >"$work/job/shows"
	l1_two >"$work/job/run"
	echo $((rig_limit * 2 / 3)) >"$work/job/limit"
	echo "$rig_guest_append" >"$work/job/words"
	# One core is looked at by this machine's gdb: where it is soonest here.
	[ "$rig_arch" != arm64 ] || : >"$work/job/send-core"
	# shellcheck disable=SC2086 # words
	rig_root_disk "$work/job/root.img" 16 "$work/extra" &&
		cp "$(rig_hvrun)" "$work/job/hvrun" &&
		cp "$(rig_guest_kernel)" "$work/job/kernel" &&
		cp "$(rig_program net)" "$work/job/net" &&
		rig_job_modules "$work/job" $rig_two_modules &&
		cp "$(rig_guest_initrd ${rig_two_guest_modules:+two $rig_two_guest_modules})" "$work/job/initrd" ||
		return 1
	run_rig -a "$rig_arch" ${rig_qemu_args_other:+-x} -n "$rig_smp" -t "$rig_limit" -l "$work/log" -o "$work/out" "$work/job"
	log=$work/log
	is "$rig_arch-smp-reset-status" "$status" 0
	is "$rig_arch-smp-reset-said" "$(grep -c '^two err: hvrun: guest reset' "$log")" 1
	from_guest_prefix=smp-
	# shellcheck disable=SC2086 # words
	from_guest cpus shows both-run hvc0 both-read cow-reread input mq resized resized-end unbound bound $rig_two_checks
	from_guest_prefix=
	from_guest host cow-base core-vmcoreinfo core-pc
	[ "$rig_arch" != arm64 ] || core_in_gdb
	is "$rig_arch-panic-status" "$(sed -n 's/^RIG-STATUS panic //p' "$log")" 134
	is "$rig_arch-panic-said" "$(grep -c "^panic err: hvrun: the guest's kernel panicked: .*VFS" "$log")" 1
	if [ -n "$rig_other_lacks" ]; then
		is "$rig_arch-lacks" "$(sed -n 's/^RIG-STATUS lacks //p' "$log") $(grep -c "^lacks err: hvrun: $rig_other_lacks: this host has no" "$log")" "71 1"
	fi
	is "$rig_arch-smp-console-complete" "$(grep -o 'RIG-LINE [0-9]* of the console' "$log" | sort -u | wc -l)" 80
}

# -----------------------------------------------------------------------------------------------

# prepared NAME FUNCTION [ARGUMENT...]
prepared() {
	prepared_name=$1
	shift
	"$@" || not_ok "$rig_arch-$prepared_name-prepare" "a part for the run could not be made, see above"
}

both_boots() {
	has_hvrun build || return 0
	shows=$rig_full_shows
	at_once prepared boot run_one '' ${rig_qemu_args_full:+full}
	at_once prepared smp run_two
	# The description's machine that has less, if there is one.
	[ -n "$rig_qemu_args_less" ] || return 0
	[ -n "${HVRUN_TEST_LONG:-}" ] || {
		skip "$rig_arch-less" 'the host that has less is in the long form only'
		return 0
	}
	shows=$rig_less_shows
	at_once prepared less run_one less- less
}

# RIG_ARCHS="arm64" runs only these.
each_arch boot "$(every_arch)" both_boots
all_done
finish
