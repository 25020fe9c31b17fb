# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# hvrun exec, in L1 when the other devices are done: a command with L1's own root, streams, status.

prepare() {
	tree=$(rig_package "$rig_guest_kernel_package") && mkdir -p "$job/kmods" || return 1
	# shellcheck disable=SC2046
	cp $(tools/module-order "$tree" virtio_mmio virtio_console virtiofs overlay) "$job/kmods/" || return 1
	head -c 200000 /dev/urandom >"$job/exec.in"
}

l1_after() {
	cat <<'L1'
in_guest() { # COMMAND...
	timeout 120 /job/hvrun exec -k /job/kernel --modules /job/kmods -m 256M --append quiet "$@"
}
mkdir -p /tmp/here && cd /tmp/here
in_guest --env WORD='two words' -- sh -c '
	cat
	echo "cwd $(pwd)" >&2
	echo "user $(id -u)" >&2
	echo "args $# $1 $2" >&2
	echo "env $WORD" >&2
	echo again >/dev/stderr
	echo lost >/tmp/here/lost && cat /tmp/here/lost >&2
	exit 7' name 'a b' "c
d" </job/exec.in >/tmp/exec.out 2>/tmp/exec.err
check exec-status is $? 7
check exec-binary cmp /job/exec.in /tmp/exec.out
check exec-stderr is "$(cat /tmp/exec.err)" "cwd /tmp/here
user 0
args 2 a b c
d
env two words
again
lost"
check exec-writes-vanish [ ! -e /tmp/here/lost ]
{
	in_guest -- sh -c 'yes | head -c 300000; kill -9 $$' </dev/null
	echo $? >/tmp/exec.status
} 2>/tmp/exec.err | wc -c >/tmp/exec.count
check exec-pipe is "$(cat /tmp/exec.count)" 300000
check exec-signal is "$(cat /tmp/exec.status)" 137
in_guest -- no-such-command </dev/null >/dev/null 2>/tmp/exec.err
check exec-not-found is "$? $(cat /tmp/exec.err)" "127 hvrun: exec: no-such-command: not found"
cd /tmp
L1
}

judge() {
	from_guest exec-status exec-binary exec-stderr exec-writes-vanish exec-pipe exec-signal \
		exec-not-found
}
