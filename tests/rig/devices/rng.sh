# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-rng: its driver is taken away and bound again while the machine runs, three times.

guest() {
	cat <<'GUEST'
device=$(basename "$(ls -d /sys/bus/virtio/drivers/virtio_rng/virtio*)")
rebind() {
	for turn in 1 2 3; do
		echo "$device" >/sys/bus/virtio/drivers/virtio_rng/unbind || return 1
		echo "$device" >/sys/bus/virtio/drivers/virtio_rng/bind || return 1
		[ "$(dd if=/dev/hwrng bs=64 count=16 2>/dev/null | wc -c)" = 1024 ] || {
			echo "turn $turn: nothing came"
			return 1
		}
	done
}
check rng-rebind rebind
GUEST
}

judge() { from_guest rng-rebind; }
