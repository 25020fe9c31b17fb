# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-balloon by Linux's driver: free pages are reported, the balloon is inflated and deflated by hvrun
# ctl, and the host of the rig sees what is resident; statistics; the driver taken away and bound again.

# MiB that the guest fills and frees. A boot in software has only so much time.
balloon_fill() { if [ -n "${HVRUN_TEST_LONG:-}" ]; then echo 64; else echo 32; fi; }

guest_modules() { echo virtio_balloon; }
options() { echo "--balloon --control /tmp/ctl.sock"; }

l1_during() {
	echo "fill=$(balloon_fill)"
	cat <<'L1'
(
	resident() { awk '/^VmRSS:/ { print int($2 / 1024) }' "/proc/$(pidof hvrun | awk '{ print $NF }')/status"; }
	ctl() { /job/hvrun ctl /tmp/ctl.sock "$@"; }
	# balloon MIB: has the guest hand over so much, and waits until it says so.
	balloon() {
		ctl balloon "$1M" >/dev/null || return 1
		n=0
		until ctl status | grep -q "\"actual_bytes\": $(($1 << 20)),"; do
			n=$((n + 1))
			[ $n -lt 300 ] || { ctl status; return 1; }
			sleep 0.3
		done
	}
	# less MIB BY: what is resident comes to be so much less; the guest reports in its own time.
	less() {
		n=0
		until now=$(resident) && [ $(($1 - now)) -ge "$2" ]; do
			n=$((n + 1))
			[ $n -lt 300 ] || { echo "$1 MiB, then $now"; return 1; }
			sleep 0.3
		done
	}
	seen devices RIG-BALLOON-FULL
	full=$(resident)
	seen devices RIG-BALLOON-FREE
	check balloon-reported less "$full" $((fill / 2))
	check balloon-inflates balloon $((fill * 3 / 2))
	check balloon-small less "$full" $((fill / 2))
	check balloon-stats sh -c '/job/hvrun ctl /tmp/ctl.sock status | grep -q "\"free_bytes\": [1-9]"'
	check balloon-deflates balloon 0
	touch /tmp/balloon.done
) </dev/null >/dev/console 2>&1 &
L1
}

guest() {
	# Pages of 4 KiB, one and a half times as much.
	echo "fill=$(balloon_fill) pages=$(($(balloon_fill) * 384))"
	cat <<'GUEST'
mkdir -p /tmp/fill
mount -t tmpfs fill /tmp/fill
check balloon-fill dd if=/dev/zero of=/tmp/fill/file bs=1M count=$fill
echo RIG-BALLOON-FULL
sleep 2
umount /tmp/fill
sleep 6
echo RIG-BALLOON-FREE
deflated() {
	n=0
	until [ "$(awk '/^balloon_inflate/ { print $2 }' /proc/vmstat)" -ge $pages ] &&
		[ "$(awk '/^balloon_deflate/ { print $2 }' /proc/vmstat)" -ge $pages ]; do
		n=$((n + 1))
		[ $n -lt 1000 ] || { grep balloon /proc/vmstat; return 1; }
		sleep 0.3
	done
}
check balloon-by-ctl deflated
device=$(basename "$(ls -d /sys/bus/virtio/drivers/virtio_balloon/virtio*)")
rebind() {
	for turn in 1 2 3; do
		echo "$device" >/sys/bus/virtio/drivers/virtio_balloon/unbind || return 1
		echo "$device" >/sys/bus/virtio/drivers/virtio_balloon/bind || return 1
	done
}
check balloon-rebind rebind
GUEST
}

judge() {
	from_guest balloon-fill balloon-by-ctl balloon-rebind balloon-reported balloon-inflates \
		balloon-small balloon-stats balloon-deflates
}
