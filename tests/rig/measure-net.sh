#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Measures virtio-net by a tap in the x86 rig in exact virtual time: iperf3, one TCP stream each way, from
# Debian's stock guest to a server in L1. Beside hvrun QEMU microvm of the machine's own package, with the
# same guest, tap and number of queues, in an L1 of its own.
#
#   measure-net.sh                       both; a line a VMM and direction, in Gbit/s of virtual time
#   MEASURE_VMMS=hvrun measure-net.sh    one of them
set -eu
cd "$(dirname "$0")/../.."
. tests/rig/lib.sh
rig_load x86
why=$(rig_missing)
[ -z "$why" ] || { rig_say "$why"; exit 69; }

work=$(mktemp -d "$rig_dir/measure-net.XXXXXX")
trap 'rm -rf "$work"' EXIT
job=$work/job extra=$work/extra
mkdir -p "$job" "$extra/rig" "$extra/bin"
for package in 'iperf3 usr/bin/iperf3' 'libiperf0 */libiperf.so*' 'libssl3 */libcrypto.so*' \
	'libsctp1 */libsctp.so*' 'libc6 */libc.so.6 */libm.so.6 */ld-linux*.so*'; do
	# shellcheck disable=SC2086
	set -f; set -- $package; set +f
	rig_job_install "$job" "$@"
done
mkdir -p "$extra/usr"
cp -R "$job/root/usr/." "$extra/usr/"
ln -s usr/lib "$extra/lib"
ln -s usr/lib64 "$extra/lib64"
cat >"$extra/rig/job" <<'GUEST'
dmesg -n 1
ip link set lo up
ip link set eth0 up
ip addr add 10.77.0.2/24 dev eth0
n=0
until ping -c 1 -W 1 10.77.0.1 >/dev/null || [ $((n += 1)) -gt 20 ]; do :; done
iperf3 -c 10.77.0.1 -t 2 -f g | sed -n 's/.*  \([0-9.]*\) Gbits.*receiver.*/RIG-MARK out \1/p'
iperf3 -c 10.77.0.1 -t 2 -f g -R | sed -n 's/.*  \([0-9.]*\) Gbits.*receiver.*/RIG-MARK in \1/p'
GUEST
rig_root_disk "$job/root.img" 48 "$extra"
rig_job_modules "$job" tun
cp "$(rig_guest_kernel)" "$job/kernel"
cp "$(rig_guest_initrd measure-net virtio_net)" "$job/initrd"
cp "$(rig_program net)" "$job/net"
cp "$(rig_program measure)" "$job/measure"

vmms=${MEASURE_VMMS:-hvrun microvm}
case $vmms in *hvrun*) cp "$(rig_hvrun)" "$job/hvrun" ;; esac
case $vmms in *microvm*) rig_job_microvm "$job" ;; esac

cat >"$job/lib" <<'L1'
ln -s /job/root/usr /usr
ln -s /usr/lib /lib
ln -s /usr/lib64 /lib64
while read -r m; do insmod "/job/modules/$m"; done </job/modules.list
cp /job/root.img /tmp/
cd /tmp
/job/measure credit
/job/net tap t0
ip addr add 10.77.0.1/24 dev t0
ip link set t0 up
/usr/bin/iperf3 -s >/dev/null &
hvrun() {
	/job/hvrun -k /job/kernel -i /job/initrd -m 256M -d root.img --net tap=t0 -a quiet
}
microvm() {
	LD_LIBRARY_PATH=/job/microvm /job/microvm/ld-linux-x86-64.so.2 /job/microvm/qemu -L /job/microvm/fw \
		-M microvm,x-option-roms=off,rtc=on -enable-kvm -cpu host -m 256 -smp 1 -nodefaults \
		-no-user-config -nographic -no-reboot -serial stdio -kernel /job/kernel -initrd /job/initrd \
		-drive id=d,file=root.img,format=raw,if=none -device virtio-blk-device,drive=d \
		-netdev tap,id=n,ifname=t0,script=no,downscript=no,vhost=off \
		-device virtio-net-device,netdev=n -append "console=ttyS0 reboot=t quiet"
}
L1
for v in $vmms; do
	printf '. /job/lib\n%s </dev/null\nexit 0\n' "$v" >"$job/run"
	for memory in 1536 1528 1520; do
		tests/rig/rig -i -a x86 -m "$memory" -t "${MEASURE_LIMIT:-600}" -l "$work/log" "$job" && break
		rig_say "$v: once more"
	done
	cp "$work/log" "$rig_dir/measure-net-$v.log"
	tr -d '\r' <"$work/log" | sed -n "s/^RIG-MARK \\(.*\\)/$v \\1/p"
done
