# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-console with named ports: bytes into a file, and both ways through a unix socket with a
# client that has said all before the guest's program opens the port; the driver taken away and bound again.

prepare() {
	program=$(rig_program unix) && cp "$program" "$job/unix" &&
		head -c 300000 /dev/urandom >"$job/ports.in" &&
		cp "$job/ports.in" "$extra/rig/ports.in"
}

options() { echo "--port file,file=/tmp/ports.out --port talk,socket=/tmp/ports.sock"; }

l1_during() {
	cat <<'L1'
(
	while [ ! -S /tmp/ports.sock ]; do sleep 0.2; done
	/job/unix /tmp/ports.sock 300000 </job/ports.in >/tmp/ports.back
	echo second | /job/unix /tmp/ports.sock 7 >/tmp/ports.second
) </dev/null >/dev/console 2>&1 &
L1
}

guest() {
	cat <<'GUEST'
port() {
	for p in /sys/class/virtio-ports/*; do
		[ "$(cat "$p/name" 2>/dev/null)" != "$1" ] || echo "/dev/${p##*/}"
	done
}
check ports-file dd if=/rig/ports.in of="$(port file)" bs=7777
talk() {
	head -c 300000 >/tmp/ports.got
	cmp /tmp/ports.got /rig/ports.in || return 1
	cat /tmp/ports.got >&0 || return 1
}
again() {
	n=0
	until read -r word; do # the end of input, while no client is there
		[ $((n += 1)) -lt 200 ] || { echo 'no second client came'; return 1; }
		sleep 0.1
	done
	is "$word" second && echo "$word" >&0
}
# Opened once: Linux drops what comes in while a program closes a port.
{
	check ports-talk talk
	check ports-next-client again
} <>"$(port talk)"
device=$(basename "$(ls -d /sys/bus/virtio/drivers/virtio_console/virtio*)")
rebind() {
	for turn in 1 2; do
		echo "$device" >/sys/bus/virtio/drivers/virtio_console/unbind || return 1
		[ -z "$(port file)" ] || { echo "turn $turn: the port is still there"; return 1; }
		echo "$device" >/sys/bus/virtio/drivers/virtio_console/bind || return 1
		n=0
		until [ -c "$(port file)" ]; do
			[ $((n += 1)) -lt 600 ] || { echo "turn $turn: no port"; return 1; }
			sleep 0.1
		done
		echo "turn $turn" >"$(port file)" || return 1
	done
}
check ports-rebind rebind
GUEST
}

l1_after() {
	cat <<'L1'
{ cat /job/ports.in; echo turn 1; echo turn 2; } >/tmp/ports.want
check ports-file-whole cmp /tmp/ports.out /tmp/ports.want
check ports-talk-back cmp /tmp/ports.back /job/ports.in
check ports-second is "$(cat /tmp/ports.second)" second
L1
}

judge() {
	from_guest ports-file ports-talk ports-next-client ports-rebind ports-file-whole ports-talk-back \
		ports-second
}
