#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The stages of the door, seen from outside: what a running hvrun has left; as root, as another user,
# by --user, and where the host refuses a stage. Then --sandbox log.
. "$TEST_TOP/tests/lib/sh.sh"
need_kvm
[ -z "${HVRUN_SANITIZER:-}" ] || skip_all 'builds with sanitizers are not locked in'

# start [COMMAND...] -- ARG...: hvrun runs a guest that never ends; its number in $pid once each of its threads has
# its list: the guest's line comes from a vCPU behind its own, by the loop behind its own.
start() {
	local before=()
	while [ "$1" != -- ]; do before+=("$1") && shift; done
	shift
	err=$TMPDIR/stderr
	: >"$err" # what the one before said
	: >"$TMPDIR/stdout"
	# Descriptor 9 and a word in the environment are what a careless parent leaves.
	HVRUN_TEST_SECRET=hunter2 "${before[@]}" "$HVRUN" -k "$GUESTS/spin.elf" -v "$@" </dev/null >"$TMPDIR/stdout" \
		2>"$err" 9</etc/passwd &
	pid=$!
	for _ in $(seq 1000); do
		grep -q 'first vcpu entered' "$err" && grep -q 'spin: for ever' "$TMPDIR/stdout" && return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	not_ok 'hvrun runs' "$(tr '\n' '|' <"$err")"
	exit 0
}

finish() {
	kill "$pid" && wait "$pid" 2>/dev/null
}

of() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; }

is() { # is NAME GOT WANT
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "\"$2\", not \"$3\""; fi
}

looks() { # looks WHO: the checks that hold for everybody
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		[ "$set/$1" = CapBnd/weak ] || is "$1: $set is empty" "$(of $set)" 0000000000000000
	done
	is "$1: no new privileges" "$(of NoNewPrivs)" 1
	is "$1: system calls are filtered" "$(of Seccomp)" 2
	# The list of the process, and each thread's own.
	is "$1: every thread has two lists" "$(cat /proc/$pid/task/*/status | awk '$1 == "Seccomp_filters:"' | sort -u | awk '{ print $2 }' | tr '\n' ' ')" "2 "
	is "$1: no core file" "$(awk '/^Max core/ { print $5 $6 }' "/proc/$pid/limits")" 00
	if [ "$(id -u)" = 0 ]; then
		is "$1: the environment is wiped" "$(tr -d '\0' <"/proc/$pid/environ" | wc -c)" 0
		is "$1: strays are closed" "$([ -e "/proc/$pid/fd/9" ] && readlink "/proc/$pid/fd/9" | grep passwd)" ''
		# What a host refuses has been said.
		grep -q 'sandbox: user namespace: the host refuses' "$err" && return 0
		for ns in user mnt net ipc uts; do
			is "$1: its own $ns namespace" \
				"$([ "$(readlink "/proc/$pid/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] && echo own)" own
		done
		grep -q 'sandbox: root: the host refuses' "$err" && return 0
		is "$1: an empty read-only root is all that is mounted" \
			"$(awk '{ split($0, part, " - "); split(part[2], fs, " "); print $5, substr($6, 1, 2), fs[1] }' "/proc/$pid/mountinfo")" \
			'/ ro tmpfs'
	else
		is "$1: not to be looked into" "$(cat "/proc/$pid/environ" 2>&1 >/dev/null | grep -c denied)" 1
	fi
}

start --
looks 'as we are'
finish

if [ "$(id -u)" = 0 ]; then
	# A folder that others may not pass keeps the binary from them.
	install -m 755 "$HVRUN" "$TMPDIR/hvrun" && install -m 644 "$GUESTS/spin.elf" "$TMPDIR/spin.elf"
	chmod 755 "$TMPDIR"
	start -- --user 65534:65534
	looks --user
	is '--user: the user' "$(awk '/^(Uid|Gid):/ { $1 = ""; print }' "/proc/$pid/status" | tr -s ' \n' ' ')" \
		' 65534 65534 65534 65534 65534 65534 65534 65534 '
	is '--user: no groups' "$(of Groups)" ''
	finish
	# A /dev/kvm of its own for somebody who is nobody.
	mknod -m 666 "$TMPDIR/kvm" c 10 232
	other() { unshare --mount sh -c 'mount --bind "$0" /dev/kvm && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"' \
		"$TMPDIR/kvm" "$@"; }
	if other test -r /dev/kvm -a -w /dev/kvm -a -x "$TMPDIR/hvrun" -a -r "$TMPDIR/spin.elf"; then
		HVRUN=$TMPDIR/hvrun GUESTS=$TMPDIR start unshare --mount sh -c 'mount --bind "$0" /dev/kvm && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"' \
			"$TMPDIR/kvm" --
		looks 'another user'
		is 'another user: nothing is weaker' "$(grep -c warning "$err")" 0
		finish
	else
		skip 'another user' 'it may not open /dev/kvm'
	fi
	# Without /proc (a chroot), strays are found by their numbers, as many as there can be.
	if unshare --mount sh -c 'umount -l /proc && ! [ -e /proc/self ]' 2>/dev/null; then
		start unshare --mount sh -c 'umount -l /proc; exec "$@"' sh --
		is 'no /proc: strays are closed' "$(readlink "/proc/$pid/fd/9" | grep passwd)" ''
		is 'no /proc: nothing is weaker' "$(grep -c 'warning: sandbox: descriptors' "$err")" 0
		finish
	else
		skip 'no /proc' 'it is not to be taken away here'
	fi
	# Where a container forbids user namespaces: said, and the rest holds.
	if unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces' 2>/dev/null; then
		start unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh --
		if grep -q '^hvrun: warning: sandbox: user namespace: the host refuses: .*keeps its user' "$err"; then
			ok 'no user namespaces: said'
		else
			not_ok 'no user namespaces: said' "$(tr '\n' '|' <"$err")"
		fi
		is 'no user namespaces: one warning' "$(grep -c warning "$err")" 1
		looks 'no user namespaces'
		finish
		start unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces
			exec setpriv --bounding-set -all --inh-caps -all --no-new-privs "$@"' sh --
		is 'no namespaces at all: two warnings' "$(grep -c 'warning: sandbox: .*namespace.*: the host refuses: ' "$err")" 2
		looks weak
		finish
	else
		skip 'no user namespaces' 'there are none to be taken away'
	fi
fi

hv -k "$GUESTS/hello.elf" --user no-such-user
check '--user: an unknown name' 64 '^hvrun: --user no-such-user: there is no such user'
one_line '--user: an unknown name: one line'
hv -k "$GUESTS/hello.elf" --user root:no-such-group
check '--user: an unknown group' 64 'there is no such group'
hv -k "$GUESTS/hello.elf" --user 4000000000
check '--user: a number without a group' 64 'give USER:GROUP'
hv -k "$GUESTS/hello.elf" --user nobody --sandbox off
check '--user without the sandbox' 64 'do not go together'
if [ "$(id -u)" != 0 ]; then
	hv -k "$GUESTS/hello.elf" --user 0:0
	check '--user: not by everybody' 71 'sandbox: user: the host refuses: Operation not permitted'
fi

# --- log: says and lets go on ---

hv -k "$GUESTS/hello.elf" --sandbox log -q
check 'log: a healthy guest is not talked about' 0 '' '^hello: '
truncate -s 1M "$TMPDIR/disk"
hv -k "$GUESTS/virtio-blk.elf" -d "$TMPDIR/disk" --sandbox log -q
check 'log: a disk is not talked about' 0 '' 'virtio-blk: '
hv -k "$GUESTS/smp.elf" -c 3 --sandbox log -q
check 'log: three vCPUs are not talked about' 0 ''

# A container's own filter that refuses what a run cannot do without: one line says what.
deny=$TMPDIR/deny
if "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$deny" "$TEST_TOP/tests/cli/deny.c" 2>"$TMPDIR/cc"; then
	# A guest that ends by itself may have ended before anybody waits.
	run_command 200 "$deny" wait "$HVRUN" -k "$GUESTS/spin.elf"
	check 'epoll_wait is refused' 71 'waiting for what happens \(epoll_wait\): the host refuses: Operation not permitted' &&
		one_line 'epoll_wait is refused: one line'
	run_command 200 "$deny" sigaction "$HVRUN" -k "$GUESTS/hello.elf"
	check 'rt_sigaction is refused' 71 'the signal that interrupts them: the host refuses: Operation not permitted' &&
		one_line 'rt_sigaction is refused: one line'
else
	not_ok 'build of tests/cli/deny.c' "$(head -n 1 "$TMPDIR/cc")"
fi
