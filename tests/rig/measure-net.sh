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
. tests/rig/beside.sh
beside_begin measure-net
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
iperf3 -c 10.77.0.1 -n 256M -f g | sed -n 's/.*  \([0-9.]*\) Gbits.*receiver.*/RIG-MARK out \1/p'
iperf3 -c 10.77.0.1 -n 256M -f g -R | sed -n 's/.*  \([0-9.]*\) Gbits.*receiver.*/RIG-MARK in \1/p'
GUEST
rig_root_disk "$job/root.img" 48 "$extra"
rig_job_modules "$job" tun
beside_job virtio_net
cp "$(rig_program net)" "$job/net"

beside_l1 >"$job/lib"
cat >>"$job/lib" <<'L1'
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
	qemu '' -netdev tap,id=n,ifname=t0,script=no,downscript=no,vhost=off -device virtio-net-device,netdev=n
}
L1
# shellcheck disable=SC2317
marks() { sed -n "s/^RIG-MARK /$1 /p" "$2"; }
beside_run run marks
