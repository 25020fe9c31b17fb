#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Measures virtio-net in the x86 rig in exact virtual time: iperf3, one TCP stream each way, from Debian's stock
# guest to a server in L1, by a tap and by passt. Beside hvrun QEMU microvm of the machine's own package, with the
# same guest, tap, passt and number of queues, each in an L1 of its own.
#
#   measure-net.sh                       a table for docs/measurements.md, in Gbit/s of virtual time
#   MEASURE_VMMS=hvrun measure-net.sh    one column of it
#   MEASURE_NET=tap measure-net.sh       two rows of it
set -eu
cd "$(dirname "$0")/../.."
. tests/rig/lib.sh
. tests/rig/beside.sh
beside_begin measure-net
for package in 'iperf3 usr/bin/iperf3' 'libiperf0 */libiperf.so*' 'libssl3 */libcrypto.so*' \
	'libsctp1 */libsctp.so*' 'passt usr/bin/passt usr/bin/passt.avx2' 'libc6 */libc.so.6 */libm.so.6 */ld-linux*.so*'; do
	# shellcheck disable=SC2086
	set -f; set -- $package; set +f
	rig_job_install "$job" "$@"
done
mkdir -p "$extra/usr"
cp -R "$job/root/usr/." "$extra/usr/"
ln -s usr/lib "$extra/lib"
ln -s usr/lib64 "$extra/lib64"
rm -f "$extra/usr/bin/passt"*
cat >"$extra/rig/job" <<'GUEST'
dmesg -n 1
ip link set lo up
read -r net address server </net
[ "$net" = tap ] || ip link set eth0 mtu 65520
ip link set eth0 up
ip addr add "$address/24" dev eth0
n=0
until [ "$net" = user ] || ping -c 1 -W 1 "$server" >/dev/null || [ $((n += 1)) -gt 20 ]; do :; done
speed() { sed -n "s/.*  \\([0-9.]*\\) Gbits.*receiver.*/RIG-MARK $net-$1 \\1/p"; }
iperf3 -c "$server" -n 256M -f g | speed out
iperf3 -c "$server" -n 256M -f g -R | speed in
GUEST
rig_job_modules "$job" tun dummy
beside_job virtio_net
cp "$(rig_program net)" "$job/net"
rig_l1_root >"$job/run"

beside_l1 >"$job/lib"
cat >>"$job/lib" <<'L1'
while read -r m; do insmod "/job/modules/$m"; done </job/modules.list
cp /job/root.img /tmp/
cd /tmp
/job/measure credit
if [ "$net" = tap ]; then
	/job/net tap t0
	ip addr add 10.77.0.1/24 dev t0
	ip link set t0 up
else
	# passt wants an interface with a way out to copy, and somebody to become.
	echo 'nobody:x:65534:65534:nobody:/:/bin/false' >>/etc/passwd
	ip link add d0 type dummy
	ip addr add 10.55.0.2/24 dev d0
	ip link set d0 up
	ip route add default via 10.55.0.1
fi
/usr/bin/iperf3 -s >/dev/null &
hvrun() {
	options=user
	[ "$net" = user ] || options=tap=t0
	/job/hvrun -k /job/kernel -i /job/initrd -m 256M -d root.img --net "$options" -a quiet
}
microvm() {
	if [ "$net" = user ]; then
		# As the user that it becomes, passt has to be able to make the socket; it does not say when it could not.
		mkdir -m 777 /tmp/passt
		/usr/bin/passt --quiet --socket /tmp/passt/socket --mtu 65520
		[ -S /tmp/passt/socket ] || echo "RIG: passt made no socket"
		back=stream,id=n,server=off,addr.type=unix,addr.path=/tmp/passt/socket
	else
		back=tap,id=n,ifname=t0,script=no,downscript=no,vhost=off
	fi
	qemu '' -netdev "$back" -device virtio-net-device,netdev=n
}
L1
cp "$job/lib" "$work/lib"
# shellcheck disable=SC2317
marks() { sed -n "s/^RIG-MARK /$1 /p" "$2" >>"$work/times"; }
measure() { # NET ADDRESS SERVER
	echo "$@" >"$extra/net"
	rig_root_disk "$job/root.img" 48 "$extra"
	{ echo "net=$1"; cat "$work/lib"; } >"$job/lib"
	beside_run main marks
}
case ${MEASURE_NET:-tap user} in *tap*) measure tap 10.77.0.2 10.77.0.1 ;; esac
case ${MEASURE_NET:-tap user} in *user*) measure user 10.55.0.2 10.55.0.1 ;; esac
beside_head
awk -v vmms="$vmms" '
	{ speed[$2, $1] = $3; seen[$2] = 1 }
	function row(key, title,   i) {
		if (!(key in seen)) return
		printf "| %s (Gbit/s) |", title
		for (i = 1; i <= n; i++) printf " %s |", (key, name[i]) in speed ? speed[key, name[i]] : "-"
		printf "\n"
	}
	END {
		n = split(vmms, name, " ")
		row("tap-out", "tap: from the guest"); row("tap-in", "tap: to the guest")
		row("user-out", "passt: from the guest"); row("user-in", "passt: to the guest")
	}' "$work/times"
