# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-vsock: connections both ways at once by Linux's driver, many, with every byte compared; nobody
# there on either side; the driver taken away with connections open, and bound again.

# A boot in software has only so much time; named in RIG_DEVICES it runs all the same.
short_form() {
	[ -n "${RIG_DEVICES:-}${HVRUN_TEST_LONG:-}" ] || { echo 'in the long form only'; return 1; }
}

guest_modules() { echo vmw_vsock_virtio_transport; }
options() { echo "--vsock 3,path=/tmp/vs"; }

prepare() {
	short_form || return 1
	program=$(rig_program vsock) && cp "$program" "$job/vsock" && cp "$program" "$extra/bin/vsock"
}

l1_before() {
	cat <<'L1'
ulimit -n 4096
/job/vsock serve unix:/tmp/vs_700 300 >/tmp/vs.serve 2>&1 </dev/null &
L1
}

l1_during() {
	cat <<'L1'
(
	seen devices RIG-VSOCK-UP
	ulimit -n 4096
	/job/vsock load hybrid:/tmp/vs:1234 100 20000 >/tmp/vs.load
) </dev/null >/dev/console 2>&1 &
L1
}

guest() {
	cat <<'GUEST'
vsock serve vsock:-1:1234 100 >/tmp/vs.served 2>&1 &
server=$!
echo RIG-VSOCK-UP
ulimit -n 4096
check vsock-guest-connects vsock load vsock:2:700 300 3000
wait $server
check vsock-guest-serves grep -q 'all is well' /tmp/vs.served
device=$(basename "$(ls -d /sys/bus/virtio/drivers/vmw_vsock_virtio_transport/virtio*)")
rebind() {
	for turn in 1 2 3; do
		echo "$device" >/sys/bus/virtio/drivers/vmw_vsock_virtio_transport/unbind || return 1
		echo "$device" >/sys/bus/virtio/drivers/vmw_vsock_virtio_transport/bind || return 1
	done
}
check vsock-rebind rebind
GUEST
}

l1_after() {
	cat <<'L1'
check vsock-host-connects grep -q 'all is well' /tmp/vs.load
check vsock-host-serves grep -q 'all is well' /tmp/vs.serve
L1
}

judge() {
	from_guest vsock-guest-connects vsock-guest-serves vsock-rebind vsock-host-connects \
		vsock-host-serves
}
