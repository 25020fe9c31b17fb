# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-net with both back-ends: by passt to a server on L1's loopback, by a tap and a bridge to one
# in a network namespace of its own. Both ways, every byte compared; offloads, queues, forwarded
# ports, the driver bound again, and the death of passt.

net_user_mac=52:54:00:aa:00:01
net_tap_mac=52:54:00:aa:00:02

# What is moved each way, by each back-end.
net_bytes() {
	if [ -n "${HVRUN_TEST_LONG:-}" ] && [ "$form" = real ]; then
		# Debian 12's passt resets what sends for 24 seconds and hears nothing (docs/devices/net.md).
		echo $((16 << 20))
	elif [ -n "${HVRUN_TEST_LONG:-}" ]; then
		echo $((100 << 20))
	elif [ "$rig_arch" = x86 ]; then
		echo $((16 << 20))
	elif [ "$rig_arch" = arm64 ]; then
		echo $((4 << 20))
	else
		echo $((1 << 20))
	fi
}

# iperf3 and its libraries, in L1 and in the guest.
net_iperf() {
	ssl=libssl3
	[ "$rig_suite" = bookworm ] || ssl=libssl3t64
	for net_to in "$job" "$work/iperf"; do
		mkdir -p "$net_to"
		rig_job_install "$net_to" iperf3 usr/bin/iperf3 && rig_job_install "$net_to" libiperf0 '*/libiperf.so*' &&
			rig_job_install "$net_to" "$ssl" '*/libcrypto.so*' &&
			rig_job_install "$net_to" libsctp1 '*/libsctp.so*' &&
			rig_job_install "$net_to" zlib1g '*/libz.so*' &&
			rig_job_install "$net_to" libzstd1 '*/libzstd.so*' &&
			rig_job_install "$net_to" libgcc-s1 '*/libgcc_s.so*' &&
			rig_job_install "$net_to" libc6 '*/libc.so.6' '*/libm.so.6' '*/ld-linux*.so*' || return 1
	done
	mkdir -p "$extra/usr" && cp -R "$work/iperf/root/usr/." "$extra/usr/" &&
		ln -sf usr/lib "$extra/lib" && ln -sf usr/lib64 "$extra/lib64"
}

prepare() {
	if [ -n "${HVRUN_TEST_LONG:-}" ]; then net_iperf || return 1; fi
	rig_job_install "$job" passt usr/bin/passt usr/bin/passt.avx2 &&
		rig_job_install "$job" libc6 '*/libc.so.6' '*/ld-linux*.so*' &&
		cp "$(rig_program net)" "$job/net" && cp "$(rig_program net)" "$extra/bin/net"
}

l1_modules() { echo "tun bridge veth dummy"; }
guest_modules() { echo virtio_net; }
options() {
	echo "--net user,fwd=tcp:8081:80,mac=$net_user_mac --net tap=t0,queues=2,mac=$net_tap_mac"
}

l1_before() {
	echo "bytes=$(net_bytes)"
	cat <<'L1'
# passt wants an interface with a way out to copy, and somebody to become.
echo 'nobody:x:65534:65534:nobody:/:/bin/false' >>/etc/passwd
ip link add d0 type dummy
ip addr add 10.55.0.2/24 dev d0
ip link set d0 up
ip route add default via 10.55.0.1
echo 'nameserver 10.55.0.1' >/etc/resolv.conf

mkdir -p /tmp/www
/job/net pattern 1 "$bytes" >/tmp/www/file
httpd -p 127.0.0.1:8080 -h /tmp/www
/job/net take 127.0.0.1 9001 2 "$bytes" >/tmp/net-user-up 2>&1 &

# A namespace at the other end of a bridge.
cat >/tmp/net-namespace <<'NS'
until ip link set veth0 up 2>/dev/null; do sleep 0.1; done
ip link set lo up
ip addr add 10.77.0.1/24 dev veth0
httpd -p 10.77.0.1:8080 -h /tmp/www
[ ! -x /usr/bin/iperf3 ] || /usr/bin/iperf3 -s -D -B 10.77.0.1
echo ready >/tmp/net-ready
/job/net take 10.77.0.1 9002 3 "$1" >/tmp/net-tap-up 2>&1
sleep 10000
NS
unshare -n sh /tmp/net-namespace "$bytes" &
/job/net tap t0 multi
ip link add v0 type veth
ip link set veth0 netns $!
brctl addbr br0
for i in t0 v0; do
	brctl addif br0 $i
	ip link set $i up
done
ip link set br0 up
until [ -s /tmp/net-ready ]; do sleep 0.1; done
L1
}

guest() {
	echo "bytes=$(net_bytes) user_mac=$net_user_mac tap_mac=$net_tap_mac"
	cat <<'GUEST'
eth() {
	for d in /sys/class/net/*; do
		[ "$(cat "$d/address")" != "$1" ] || basename "$d"
	done
}
user=$(eth $user_mac)
tap=$(eth $tap_mac)
check net-mac [ -n "$user" -a -n "$tap" ]
cat >/tmp/lease <<'LEASE'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
ip route add default via "${router%% *}"
echo "${router%% *}" >/tmp/router
LEASE
chmod +x /tmp/lease
ip link set "$user" up
check net-dhcp udhcpc -i "$user" -s /tmp/lease -q -n -t 8 -T 2
router=$(cat /tmp/router)
check net-mtu is "$(cat "/sys/class/net/$user/mtu")" 65520
fetch() { # URL, once more if nothing came: a host in software may be too late to answer
	for try in 1 2 3; do
		wget -q -O - "$1" | net verify 1 "$bytes" >/tmp/fetched && return 0
		grep -q "^0 bytes" /tmp/fetched || break
	done
	cat /tmp/fetched
	return 1
}
check net-user-fetch fetch "http://$router:8080/file"
check net-user-send net send "$router" 9001 2 "$bytes"
mkdir -p /tmp/served
echo "served by the guest" >/tmp/served/hello
httpd -p 80 -h /tmp/served
echo NET-SERVING
typed net-forwarded

driver=/sys/class/net/$tap/device
check net-offloads sh -c '[ "$(cut -c1-2,8-9,12-13,16-19 "$0/features")" = 1111111111 ]' "$driver"
[ "$(nproc)" = 1 ] || check net-multi-queue is "$(ls -d "/sys/class/net/$tap/queues/rx-"* | wc -l)" 2
tap_up() {
	ip link set "$1" up && ip addr add 10.77.0.2/24 dev "$1" && ping -c 1 -W 60 10.77.0.1 >/dev/null
}
check net-tap-ping tap_up "$tap"
check net-tap-fetch fetch http://10.77.0.1:8080/file
check net-tap-send net send 10.77.0.1 9002 3 "$bytes"
if [ -x /usr/bin/iperf3 ]; then
	iperf() {
		iperf3 -c 10.77.0.1 -n 100M "$@" >/tmp/iperf 2>&1 && grep -q ' receiver' /tmp/iperf && return 0
		tail -n 3 /tmp/iperf
		return 1
	}
	check net-iperf-out iperf
	check net-iperf-in iperf -R
fi
rebind() {
	virtio=$(basename "$(readlink -f "$driver")")
	for turn in 1 2 3; do
		echo "$virtio" >/sys/bus/virtio/drivers/virtio_net/unbind || return 1
		echo "$virtio" >/sys/bus/virtio/drivers/virtio_net/bind || return 1
		tap_up "$(eth $tap_mac)" || { echo "turn $turn: no answer"; return 1; }
	done
}
check net-rebind rebind
check net-rebind-fetch fetch http://10.77.0.1:8080/file
check net-carrier is "$(cat "/sys/class/net/$user/carrier")" 1
echo NET-KILL
typed net-killed
gone() {
	n=0
	while [ "$(cat "/sys/class/net/$user/carrier")" = 1 ]; do
		[ $((n += 1)) -lt 600 ] || return 1
		sleep 0.1
	done
}
check net-link-down gone
check net-tap-lives ping -c 1 -W 60 10.77.0.1
GUEST
}

l1_during() {
	cat <<'L1'
seen devices NET-SERVING
check net-forward is "$(wget -q -O - http://127.0.0.1:8081/hello)" "served by the guest"
echo net-forwarded
seen devices NET-KILL
kill -9 $(pidof passt passt.avx2)
echo net-killed
L1
}

l1_after() {
	cat <<'L1'
check net-user-sent is "$(cat /tmp/net-user-up 2>&1)" ""
check net-tap-sent is "$(cat /tmp/net-tap-up 2>&1)" ""
check net-no-orphan is "$(pidof passt passt.avx2)" ""
L1
}

judge() {
	[ "$cpus" = 1 ] || from_guest net-multi-queue # the driver uses no more than it has CPUs
	from_guest net-mac net-dhcp net-mtu net-user-fetch net-user-send net-offloads net-tap-ping \
		 net-tap-fetch net-tap-send net-rebind net-rebind-fetch net-carrier \
		net-link-down net-tap-lives
	[ -z "${HVRUN_TEST_LONG:-}" ] || from_guest net-iperf-out net-iperf-in
	from_guest net-forward net-user-sent net-tap-sent net-no-orphan
	is "$rig_arch-${prefix}-net-death-said" \
		"$(grep -c "^devices err: hvrun: warning: passt ended; the guest's network link is down" "$log")" 1
}
