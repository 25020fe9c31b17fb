#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun backend with QEMU as the front end: Debian's stock kernel in QEMU's software CPU, whose drivers have a disk
# and a source of random numbers that hvrun serves by vhost-user, from outside of QEMU. Needs no KVM.
cd "$(dirname "$0")/../.." || exit 1
. tests/rig/lib.sh
. tests/rig/report.sh
rig_load x86 || exit 1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/hvrun-backend.XXXXXX") || exit 1
job=$rig_dir/backend log=$rig_dir/backend.log from_guest_prefix=backend-
backends=()
# shellcheck disable=SC2317
cleanup() {
	[ ${#backends[@]} = 0 ] || kill "${backends[@]}" 2>/dev/null
	rm -rf "$scratch"
}
trap cleanup EXIT
why=$(rig_missing)
[ -n "$why" ] || "$rig_qemu" -device help 2>/dev/null | grep -q '"vhost-user-rng-pci"' || why="$rig_qemu has no vhost-user-rng-pci"
if [ -n "$why" ]; then
	skip x86-backend "$why"
	finish
fi
[ -x "$rig_hvrun" ] || make -s static ARCH=x86 || exit 1

rm -rf "$job"
mkdir -p "$job"
rig_job_modules "$job" virtio_pci virtio_blk virtio_rng || exit 1
cat >"$job/run" <<'L1'
. /rig/lib
while read -r m; do insmod "/job/modules/$m"; done </job/modules.list
check() {
	name=$1
	shift
	if why=$("$@" 2>&1); then echo "RIG-CHECK $name ok"; else echo "RIG-CHECK $name failed: $(echo "$why" | tail -n 1)"; fi
}
disk=/dev/vda
device=$(basename "$(readlink -f /sys/block/vda/device)")
size() { [ "$(cat /sys/block/vda/size)" = 32768 ] && [ "$(cat /sys/block/vda/serial)" = served ]; }
content() { [ "$(head -c 4194304 $disk | sha256sum | cut -d' ' -f1)" = "$(cat /job/sum)" ]; }
write() { dd if=/job/data of=$disk bs=64k seek=64 conv=fsync 2>/dev/null; }
# Many requests at once, of all sizes, and what comes back is what is there.
many() {
	for n in 1 2 3 4 5 6 7 8; do
		{ dd if=$disk bs="${n}k" count=$((2048 / n)) iflag=direct 2>/dev/null | cmp -s -n $((2048 / n * n * 1024)) - /tmp/first || echo "reader $n"; } &
	done >/tmp/wrong
	wait
	[ ! -s /tmp/wrong ] || { cat /tmp/wrong; return 1; }
}
# The driver goes while it reads, and comes again.
rebind() {
	for turn in 1 2 3; do
		dd if=$disk of=/dev/null bs=64k 2>/dev/null &
		echo "$device" >/sys/bus/virtio/drivers/virtio_blk/unbind || return 1
		wait
		[ ! -b $disk ] || { echo "turn $turn: $disk is still there"; return 1; }
		echo "$device" >/sys/bus/virtio/drivers/virtio_blk/bind || return 1
		content || { echo "turn $turn: other bytes"; return 1; }
	done
}
random() {
	grep -q virtio /sys/class/misc/hw_random/rng_current || { cat /sys/class/misc/hw_random/rng_current; return 1; }
	dd if=/dev/hwrng of=/tmp/a bs=512 count=8 2>/dev/null && dd if=/dev/hwrng of=/tmp/b bs=512 count=8 2>/dev/null || return 1
	[ "$(wc -c </tmp/a)" = 4096 ] && ! cmp -s /tmp/a /tmp/b && [ "$(tr -d '\0' </tmp/a | wc -c)" -gt 3900 ]
}
discard() { [ "$(cat /sys/block/vda/queue/discard_max_bytes)" -gt 0 ]; }
check size size
check content content
head -c 4194304 $disk >/tmp/first
check write write
check many many
check rebind rebind
check random random
check discard discard
L1
head -c 1048576 /dev/urandom >"$job/data"
head -c 4194304 /dev/urandom >"$scratch/disk"
sha256sum "$scratch/disk" | cut -d' ' -f1 >"$job/sum"
truncate -s 16M "$scratch/disk"

serve() { # serve NAME WORD...
	"$rig_hvrun" backend "$@" --socket "$scratch/$1.sock" -v 2>"$scratch/$1.err" &
	backends+=($!)
	until grep -qs 'waiting at' "$scratch/$1.err" || ! kill -0 $! 2>/dev/null; do sleep 0.05; done
}
serve blk -d "$scratch/disk,serial=served,queues=2"
serve rng

memory="-object memory-backend-memfd,id=ram,size=${rig_memory}M,share=on -machine memory-backend=ram"
blk="-chardev socket,id=blk,path=$scratch/blk.sock -device vhost-user-blk-pci,chardev=blk,num-queues=2"
rng="-chardev socket,id=rng,path=$scratch/rng.sock -device vhost-user-rng-pci,chardev=rng"
run_rig -a x86 -n 2 -t "$rig_limit" -l "$log" -q "$memory $blk $rng" "$job"
is x86-backend-qemu "$status" 0
from_guest size content write many rebind random discard
if cmp -s "$job/data" <(dd if="$scratch/disk" bs=64k skip=64 count=16 2>/dev/null); then
	ok x86-backend-kept
else
	not_ok x86-backend-kept "the file has not what the guest wrote"
fi

# A front end that has gone leaves a back-end that waits for the next; told to end, it ends and takes its socket along.
for n in 0 1; do
	kill -TERM "${backends[n]}"
	status=0
	wait "${backends[n]}" || status=$?
	is "x86-backend-end-$n" "$status" 143
done
backends=()
is x86-backend-sockets "$(cd "$scratch" && ls -- *.sock 2>/dev/null)" ''
said=$(grep -hvE ': (waiting at|a front end is here|the front end has gone)' "$scratch"/*.err | head -n 3)
is x86-backend-quiet "$said" ''
finish
