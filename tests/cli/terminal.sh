#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The terminal: raw while a guest has it, back as it was on every way out; the keys of Ctrl-A.
. "$TEST_TOP/tests/lib/sh.sh"
need_kvm

pty=$TMPDIR/pty
if ! "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$pty" "$TEST_TOP/tests/cli/pty.c" 2>"$TMPDIR/cc"; then
	not_ok 'build of tests/cli/pty.c' "$(head -n 1 "$TMPDIR/cc")"
	exit 0
fi
ulimit -c 0

spin=("$HVRUN" -k "$GUESTS/spin.elf" -a sleep)
echo_guest=("$HVRUN" -q -k "$GUESTS/echo.elf" -a 'irq loud')

# on_pty NAME STDERR-REGEX STEP... -- COMMAND...
on_pty() {
	local name=$1 regex=$2 said
	shift 2
	err=$TMPDIR/stderr
	if ! said=$("$pty" "$@" 2>"$err"); then
		not_ok "$name" "$(head -c 300 <<<"$said" | tr '\r\n' '||'); stderr: $(head -c 200 "$err" | tr '\n' '|')"
	elif ! matches "$err" "$regex"; then
		not_ok "$name" "stderr is not /$regex/ but: $(head -c 200 "$err" | tr '\n' '|')"
	else
		ok "$name"
	fi
}

on_pty 'the guest ends' '' exit:0 same -- "$HVRUN" -q -k "$GUESTS/hello.elf"
on_pty 'no kernel' 'No such file' exit:66 same -- "$HVRUN" -k "$TMPDIR/none"
on_pty 'Ctrl-A x leaves' 'left by Ctrl-A x' see:spin: raw 'send:\x01x' exit:0 same -- "${spin[@]}"
on_pty 'Ctrl-A X leaves' 'left by Ctrl-A x' see:spin: raw 'send:\x01X' exit:0 same -- "${spin[@]}"
on_pty 'Ctrl-A c tells the keys' 'Ctrl-A x leaves.*' see:spin: raw 'send:\x01c' 'send:\x01x' exit:0 same -- "${spin[@]}"
on_pty 'a busy guest is left too' 'left by Ctrl-A x' see:spin: raw 'send:\x01x' exit:0 same -- "$HVRUN" -k "$GUESTS/spin.elf"

for n in 1 2 15; do
	on_pty "signal $n ends it, with status $((128 + n))" "signal $n " see:spin: raw signal:$n exit:$((128 + n)) same -- "${spin[@]}"
done
for n in 3 6 11 7 8 4 5; do
	if [ -n "${HVRUN_SANITIZER:-}" ]; then
		skip "signal $n kills it" 'sanitizers have handlers of their own'
	else
		words=
		[ "$n" != 7 ] || words='memory went away'
		on_pty "signal $n kills it" "$words" see:spin: raw signal:$n killed:$n same -- "${spin[@]}"
	fi
done
on_pty 'a refused system call that was sent' 'ended by signal 31 .SIGSYS., which process [0-9]+ sent' see:spin: raw signal:31 exit:159 same -- "${spin[@]}"
# A real one, from a vCPU's thread, when the terminal is raw.
if [ -n "${HVRUN_SANITIZER:-}" ]; then
	skip 'a refused system call is a defect' 'builds with sanitizers are not locked in'
elif [ "$(uname -m)" = x86_64 ] && "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -shared -fPIC -o "$TMPDIR/probe.so" "$TEST_TOP/tests/cli/probe.c" 2>/dev/null; then
	taken_over() { # taken_over NAME WORDS KIND END
		on_pty "$1" "$2" "$4" same -- env LD_PRELOAD="$TMPDIR/probe.so" PROBE="$3" PROBE_AT=vcpu "$HVRUN" -k "$GUESTS/hello.elf"
	}
	taken_over 'a refused system call is a defect' 'sandbox: system call.*please report' open exit:70
	taken_over 'a vCPU thread aborts' '' abort killed:6
	taken_over 'a vCPU thread faults' '' fault killed:11
	taken_over "a vCPU thread's stack is smashed" 'stack smashing detected' smash killed:6
else
	skip 'a refused system call is a defect' 'tests/cli/probe.c does not build here'
fi
on_pty 'stopped and continued, it is raw again' '' see:spin: raw signal:19 cook signal:18 raw 'send:\x01x' exit:0 same -- "${spin[@]}" -q

on_pty 'Ctrl-A Ctrl-A sends one' '' see:ready raw 'send:\x01\x01zq' 'see:echo: 2 bytes, sum 124 126' exit:0 same -- "${echo_guest[@]}"
on_pty 'Ctrl-C, Ctrl-Z, Ctrl-S, return are the guest'"'"'s' '' see:ready raw 'send:\x03\x1a\x13\x0dq' 'see:echo: 4 bytes, sum 62 145' exit:0 same -- "${echo_guest[@]}"

on_pty 'no console: the terminal is not touched' '' 'see:first vcpu entered' same 'send:\x03' 'see:signal 2 ' exit:130 same -- \
	sh -c 'exec "$@" 2>&1' - "${spin[@]}" --console none -v
on_pty 'in the background: not touched, not stopped' '' -b exit:0 same -- "$HVRUN" -q -k "$GUESTS/hello.elf"

# Without a terminal there are no keys: every byte is the guest's.
status=0
printf '\001xq' | "${echo_guest[@]}" >"$TMPDIR/out" 2>"$TMPDIR/err" || status=$?
if [ $status = 0 ] && grep -q 'echo: 2 bytes' "$TMPDIR/out" && [ ! -s "$TMPDIR/err" ]; then
	ok 'a pipe has no keys'
else
	not_ok 'a pipe has no keys' "status $status: $(tr '\n' '|' <"$TMPDIR/out")"
fi

# A closed standard descriptor must not become a disk's.
truncate -s 1M "$TMPDIR/disk"
for closed in '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
	status=0
	eval "timeout 200 \"\$HVRUN\" -v -k \"\$GUESTS/hello.elf\" -d \"\$TMPDIR/disk\" $closed" >/dev/null 2>&1 </dev/null || status=$?
	if [ $status = 0 ] && cmp -s "$TMPDIR/disk" <(head -c 1M /dev/zero); then
		ok "closed: $closed"
	else
		not_ok "closed: $closed" "status $status, or something was written on the disk"
	fi
done
