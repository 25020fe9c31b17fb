#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The sandbox from inside: a library loaded into hvrun tries what an attacker would, in a vCPU's
# thread and in the console's, and nothing gets through; no file is read before the door is locked.
. "$TEST_TOP/tests/lib/sh.sh"
need_kvm
[ -z "${HVRUN_SANITIZER:-}" ] || skip_all 'builds with sanitizers are not locked in'
[ "$(uname -m)" = x86_64 ] || skip_all 'tests/cli/probe.c knows the numbers of x86-64 only'

probe=$TMPDIR/probe.so
if ! "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -shared -fPIC -o "$probe" \
	"$TEST_TOP/tests/cli/probe.c" 2>"$TMPDIR/cc"; then
	not_ok 'build of tests/cli/probe.c' "$(head -n 1 "$TMPDIR/cc")"
	exit 0
fi
truncate -s 1M "$TMPDIR/disk"
ulimit -c 0

# probe KIND WHERE WORD...: leaves what hv leaves.
probe() {
	local kind=$1 at=$2
	shift 2
	run_command 200 env LD_PRELOAD="$probe" PROBE="$kind" PROBE_AT="$at" "$HVRUN" "$@"
}

# The probe works: without the sandbox it gets through.
probe open vcpu -k "$GUESTS/hello.elf" --sandbox off
if [ "$status" = 0 ] && grep -q '^probe: open got through: [0-9]' "$err"; then
	ok 'the probe itself works'
else
	not_ok 'the probe itself works' "status $status: $(head -c 300 "$err" | tr '\n' '|')"
fi

for at in build vcpu poll; do
	for kind in open socket exec fork ptrace kill exec-memory make-executable ioctl io_uring; do
		probe "$kind" "$at" -k "$GUESTS/hello.elf"
		check "$kind ($at): refused" 70 '^hvrun: sandbox: system call [0-9]+ \([a-z0-9_]+\) at 0x[0-9a-f]+ ' &&
			one_line "$kind ($at): one line"
	done
done
# What malloc may ask is refused without a word, where there is a malloc.
for at in build poll; do
	probe prctl "$at" -k "$GUESTS/hello.elf"
	if grep -q '^probe: prctl got through: -1' "$err"; then
		ok "prctl ($at): an error"
	else
		not_ok "prctl ($at): an error" "status $status: $(head -c 300 "$err" | tr '\n' '|')"
	fi
done
probe prctl vcpu -k "$GUESTS/hello.elf"
check 'prctl (vcpu): refused' 70 'system call [0-9]+ \(prctl\) at .* of its thread \(vcpu, '

# Whoever started us ignores or blocks the signal: the report comes all the same.
for how in ignore block; do
	run_command 200 env --$how-signal=SYS LD_PRELOAD="$probe" PROBE=open PROBE_AT=build "$HVRUN" -k "$GUESTS/hello.elf"
	check "SIGSYS $how-signal by the parent: told" 70 '^hvrun: sandbox: system call [0-9]+ \(open' &&
		one_line "SIGSYS $how-signal by the parent: one line"
done
# One that another process sent accuses nobody.
"$HVRUN" -k "$GUESTS/spin.elf" >"$TMPDIR/spin" 2>"$err" </dev/null &
until grep -q 'spin: for ever' "$TMPDIR/spin" || ! kill -0 $!; do sleep 0.05; done
kill -SYS $!
status=0 && wait $! || status=$?
: >"$out"
check 'a SIGSYS from outside' 159 "^hvrun: ended by signal 31 \(SIGSYS\), which process [0-9]+ sent"

# io_uring's calls are there when the user asked for it, and only then.
probe io_uring build -k "$GUESTS/hello.elf" --io-uring
if [ "$status" = 0 ] && grep -q '^probe: io_uring got through: -1' "$err"; then
	ok '--io-uring opens the door for io_uring'
else
	not_ok '--io-uring opens the door for io_uring' "status $status: $(head -c 300 "$err" | tr '\n' '|')"
fi
probe io_uring vcpu -k "$GUESTS/hello.elf" --io-uring
check 'and not for a thread of a vCPU' 70 'system call [0-9]+ \(io_uring_setup\) at .* \(vcpu, '
probe open vcpu -k "$GUESTS/hello.elf" --io-uring
check '--io-uring opens it for nothing else' 70 '^hvrun: sandbox: system call [0-9]+ \([a-z0-9_]+\) at 0x[0-9a-f]+ '
hv -k "$GUESTS/virtio-blk.elf" -d "$TMPDIR/disk" --io-uring
if [ "$status" = 71 ] && grep -q 'io_uring is not to be had' "$err"; then
	skip 'a disk by io_uring behind the door' "$(head -n 1 "$err")"
else
	check 'a disk by io_uring behind the door' 0 '^hvrun: guest ended with status 0$' 'virtio-blk: '
fi

probe order none -k "$GUESTS/hello.elf" -i "$GUESTS/hello.elf" -d "$TMPDIR/disk"
if [ "$status" = 0 ] && ! grep -q 'before the door' "$err" && grep -q 'behind the door' "$err"; then
	ok 'files are read after the door is locked'
else
	not_ok 'files are read after the door is locked' "status $status: $(head -c 300 "$err" | tr '\n' '|')"
fi
probe order none -k "$GUESTS/hello.elf" --sandbox off
if grep -q 'before the door' "$err"; then
	ok 'the look at the order works'
else
	not_ok 'the look at the order works' "status $status: $(head -c 300 "$err" | tr '\n' '|')"
fi

# docs/security.md holds what the program prints, for each architecture.
listed() { sed -n '/^<!-- lists: begin -->/,/^<!-- lists: end -->/p' "$TEST_TOP/docs/security.md" | grep -E '^([BLVIH-]{5} |on )'; }
"$HVRUN" doctor --sandbox | grep -E '^([BLVIH-]{5} |on )' >"$TMPDIR/lists"
arch=$(grep '^on ' "$TMPDIR/lists")
listed | awk -v arch="$arch" '/^on /{ keep = $0 == arch; other = 1 } !other || keep' >"$TMPDIR/documented"
if cmp -s "$TMPDIR/lists" "$TMPDIR/documented"; then
	ok 'docs/security.md has the lists of the program'
else
	not_ok 'docs/security.md has the lists of the program' "run tools/sandbox-doc; $(diff "$TMPDIR/lists" "$TMPDIR/documented" | head -n 5 | tr '\n' '|')"
fi

hv -k "$GUESTS/hello.elf"
check 'and a healthy run is not disturbed' 0 '^hvrun: guest powered off$' '^hello: '
