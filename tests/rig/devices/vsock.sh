# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# virtio-vsock: connections both ways at once by Linux's driver, many, with every byte compared; nobody
# there on either side; the driver taken away with connections open, and bound again.

# Connections at once, of the guest and of the host; hvrun has no more than 3584. A boot in software has only so much time.
vsock_many() { if [ -n "${HVRUN_TEST_LONG:-}" ]; then echo 2400; else echo 20; fi; }
vsock_some() { if [ -n "${HVRUN_TEST_LONG:-}" ]; then echo 1000; else echo 10; fi; }

guest_modules() { echo vmw_vsock_virtio_transport; }
options() { echo "--vsock 3,path=/tmp/vs"; }

prepare() {
	program=$(rig_program vsock) && cp "$program" "$job/vsock" && cp "$program" "$extra/bin/vsock"
}

l1_before() {
	echo "many=$(vsock_many)"
	cat <<'L1'
ulimit -n 4096
/job/vsock serve unix:/tmp/vs_700 $many >/tmp/vs.serve 2>&1 </dev/null &
L1
}

l1_during() {
	echo "some=$(vsock_some)"
	cat <<'L1'
(
	seen devices RIG-VSOCK-UP
	ulimit -n 4096
	/job/vsock load hybrid:/tmp/vs:1234 $some 20000 >/tmp/vs.load
) </dev/null >/dev/console 2>&1 &
L1
}

guest() {
	echo "many=$(vsock_many) some=$(vsock_some)"
	cat <<'GUEST'
vsock serve vsock:-1:1234 $some >/tmp/vs.served 2>&1 &
server=$!
echo RIG-VSOCK-UP
ulimit -n 4096
check vsock-guest-connects vsock load vsock:2:700 $many 3000
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
# They tell when they have seen the ends of all, which may be when the machine has gone.
for f in load serve; do
	n=0
	until [ -s /tmp/vs.$f ] || [ $((n += 1)) -gt 600 ]; do sleep 0.1; done
done
check vsock-host-connects grep -q 'all is well' /tmp/vs.load
check vsock-host-serves grep -q 'all is well' /tmp/vs.serve
L1
}

judge() {
	from_guest vsock-guest-connects vsock-guest-serves vsock-rebind vsock-host-connects \
		vsock-host-serves
}
