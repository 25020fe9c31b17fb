#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The debugger's stub with Debian's gdb, on bare-metal guests: breakpoints of both kinds, steps, two
# vCPUs, memory, registers, Ctrl-C, detach and re-attach, kill, monitor, and what the host refuses.
. "$(dirname "$0")/common"
need_guests
command -v gdb-multiarch >/dev/null || skip_all 'gdb-multiarch is not installed'

SOCKET=$TMP/gdb.sock

# begin GUEST [options...]: hvrun in the background, waiting for a debugger.
begin() {
	local guest=$1
	shift
	rm -f "$SOCKET" "$TMP/out"
	timeout -k 5 "$LIMIT" "$HVRUN" -k "$GUESTS/$guest.elf" -m 64M --gdb "unix:$SOCKET${nowait:-}" "$@" \
		</dev/null >"$TMP/out" 2>"$TMP/err" &
	pid=$!
	symbols=$GUESTS/$guest.elf
	await [ -S "$SOCKET" ]
}

# gdb COMMAND...: attached to it; what gdb says in $TMP/gdb.
gdb() {
	local args=() c
	for c; do args+=(-ex "$c"); done
	timeout -k 5 "$LIMIT" gdb-multiarch -nx -batch "$symbols" -ex 'set pagination off' -ex 'set remotetimeout 300' \
		-ex 'set confirm off' -ex "target remote $SOCKET" "${args[@]}" </dev/null >"$TMP/gdb" 2>&1
}

# told NAME REGEX...: gdb said lines like these, in this order.
told() {
	local name=$1 at=0 line
	shift
	for want; do
		line=$(tail -n "+$((at + 1))" "$TMP/gdb" | grep -nE -m 1 -- "$want" | cut -d: -f1)
		if [ -z "$line" ]; then
			not_ok "$name" "gdb does not say \"$want\" (after its line $at): $(tail -n 12 "$TMP/gdb" | tr '\n' '|') $(tail -n 2 "$TMP/err" | tr '\n' '|')"
			return
		fi
		at=$((at + line))
	done
	ok "$name"
}

# The guest waits before its first instruction; a breakpoint of the processor; steps; backtrace.
begin hello
gdb 'info registers rip cs cr0 cr3 efer' 'hbreak guest_main' 'continue' 'backtrace' 'stepi' 'stepi' \
	'p (long)$rip - (long)guest_main' 'p $xmm0.uint128' 'continue'
over
told native-gdb-waits '_start \(\)' 'rip +0x200000 ' 'cr3 +0x9000'
told native-gdb-hardware-breakpoint 'Breakpoint 1, guest_main \(\)' '^#0 +guest_main \(\)' \
	'^#1 .* plat_start ' '^#2 .* _start '
told native-gdb-steps '^\$1 = [1-9]' '^\$2 = 0$' 'exited normally'
expect native-gdb-runs-to-its-end 0 "hello: a guest of hvrun"

# A breakpoint in memory, hit by the second vCPU; gdb does not see it there; threads; memory.
begin smp -c 2
gdb 'break other' 'continue' 'info threads' 'x/1xb other' 'p counter' 'next' 'next' 'p counter' \
	'set var counter = counter + 1' 'p counter' 'set var counter = counter - 1' 'thread 1' \
	'backtrace' 'delete' 'continue'
over
told native-gdb-software-breakpoint 'Thread 2 "vcpu 1" hit Breakpoint 1, other \(cpu=1\)'
told native-gdb-threads 'Thread 1 "vcpu 0"' '^\* 2 +Thread 2 "vcpu 1"'
told native-gdb-breakpoint-is-hidden '<other>:	0x(48|f3|55|53)'
told native-gdb-memory '^\$1 = 0$' '^\$2 = [1-9]' '^\$3 = [1-9]'
told native-gdb-other-thread 'Switching to thread 1' '^#[0-9].* guest_main \(\)'
expect native-gdb-two-vcpus 0 "smp: all arrived, counter 200"

# Several vCPUs run into the same breakpoints at once; gdb steps one after another over them, with the
# breakpoints away. Whose stop was not told yet hits them again, and its guest hears of none of this.
gone='' hits=''
for _ in 1 2 3; do
	begin smp -c 4
	gdb 'break other' 'break plat_sleep_for_ever' 'ignore 1 100' 'ignore 2 100' 'continue' 'info breakpoints'
	over
	gone="$gone $status $(grep -c 'smp: all arrived, counter 900' "$TMP/out.lines")"
	hits="$hits $(grep -c 'already hit 3 times' "$TMP/gdb")"
done
if [ "$gone" = ' 0 1 0 1 0 1' ]; then ok native-gdb-at-once; else not_ok native-gdb-at-once "got '$gone': $(last_words)"; fi
# CPU 0 may end the machine before the last one falls asleep.
if [ "${hits//[12]/}" = '   ' ]; then ok native-gdb-at-once-hits; else not_ok native-gdb-at-once-hits "got '$hits': $(tail -n 4 "$TMP/gdb" | tr '\n' '|')"; fi

# Registers can be written: a function returns at once, with another value.
begin hello
gdb 'hbreak guest_main' 'continue' 'delete' 'return 7' 'continue'
over
expect native-gdb-writes-registers 7
told native-gdb-exit-status 'exited with code 07'

# Detach: the guest runs on without breakpoints, and another gdb may come; Ctrl-C stops it; kill.
begin spin -a busy
gdb 'break guest_main' 'continue' 'detach'
told native-gdb-detach 'Breakpoint 1, guest_main' 'detached'
await grep -q 'for ever' "$TMP/out"
if grep -q 'for ever' "$TMP/out"; then ok native-gdb-runs-on; else not_ok native-gdb-runs-on "$(last_words)"; fi
{
	sleep 1
	echo 'interrupt'
	for _ in $(seq 2000); do grep -qE 'SIGINT|stopped' "$TMP/gdb" && break; sleep 0.05; done
	printf '%s\n' 'backtrace' 'info registers rip' 'monitor info devices' 'monitor info regs' \
		'monitor dtb' 'monitor nonsense' 'monitor help' 'kill'
} | timeout -k 5 "$LIMIT" gdb-multiarch -nx -q "$symbols" -ex 'set confirm off' -ex 'set pagination off' \
	-ex 'set remotetimeout 300' -ex "target remote $SOCKET" -ex 'continue &' >"$TMP/gdb" 2>&1
over
told native-gdb-interrupt 'received signal SIGINT|stopped' '^#0 '
told native-gdb-monitor 'virtio-rng at 0x' 'vcpu 0' 'described by ACPI' 'no such command' 'info regs +all'
expect native-gdb-kill 0
says native-gdb-kill-said "ended by the debugger"
if [ ! -e "$SOCKET" ]; then ok native-gdb-socket-removed; else not_ok native-gdb-socket-removed 'it is still there'; fi

# A debugger that is not waited for; one that vanishes leaves the guest running; a second is refused.
nowait=,nowait begin spin -a busy
await grep -q 'for ever' "$TMP/out"
if grep -q 'for ever' "$TMP/out"; then ok native-gdb-nowait; else not_ok native-gdb-nowait "$(last_words)"; fi
if grep -q 'waiting' "$TMP/err"; then not_ok native-gdb-nowait-says-nothing "$(last_words)"; else ok native-gdb-nowait-says-nothing; fi
kill "$pid"
over
expect native-gdb-signal 143

# What this host cannot do is refused in words.
if [ -d /sys/module/kvm_pvm ]; then
	begin smp -c 2
	gdb 'hbreak guest_main' 'continue' 'watch counter' 'continue' 'kill'
	over
	told native-gdb-no-watchpoints 'Could not insert hardware watchpoint'
	says native-gdb-no-watchpoints-said "cannot watch memory"
else
	begin smp -c 2
	gdb 'hbreak guest_main' 'continue' 'watch counter' 'continue' 'kill'
	over
	told native-gdb-watchpoint 'hit Hardware watchpoint' 'Old value = 0' 'New value = 2'
fi

# By TCP, at this machine only.
: >"$TMP/err"
symbols=$GUESTS/hello.elf
port=$(free_port)
timeout -k 5 "$LIMIT" "$HVRUN" -k "$GUESTS/hello.elf" -m 64M --gdb "$port" </dev/null >"$TMP/out" 2>"$TMP/err" &
pid=$!
await grep -q waiting "$TMP/err"
SOCKET=127.0.0.1:$port gdb 'hbreak guest_main' 'continue' 'delete' 'continue'
over
told native-gdb-tcp 'Breakpoint 1, guest_main' 'exited normally'
expect native-gdb-tcp-ends 0
