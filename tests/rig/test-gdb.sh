#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The debugger's stub on each architecture's real KVM, with this machine's gdb-multiarch: one boot of L1
# each, in it a bare-metal guest with two CPUs and Debian's stock kernel, by hvrun exec to the end of its
# command (on riscv, where that takes long, by hvrun run up to its second CPU). gdb comes in by a port of
# L1 (rig -s) and a relay there. On x86 an older QEMU than 10 is replaced by tests/rig/newer-qemu.
#
#   RIG_ARCHS="arm64" tests/rig/test-gdb.sh
cd "$(dirname "$0")/../.." || exit 1
. tests/rig/lib.sh
. tests/rig/report.sh

# L1's job. Symbols come from L1's own kernel, which is the guest's too.
l1_job() {
	cat <<'L1'
. /rig/lib
cd /
while read -r m; do insmod "/job/modules/$m"; done </job/modules.list
port=$(ls /dev/vport*p1)
connected() { grep -q "host_connected: $1" /sys/kernel/debug/virtio-ports/*; }
# relay NAME: waits for gdb, which is told to come, and connects it with hvrun.
relay() {
	until connected 0; do sleep 0.1; done
	echo "RIG-READY $1" >/dev/console
	until connected 1; do sleep 0.1; done
	nc 127.0.0.1 1234 <>"$port" >&0 # it can be open once only
}
echo 0 >/proc/sys/kernel/kptr_restrict
for s in start_kernel start_secondary secondary_start_kernel smp_callin; do
	echo "RIG-SYMBOL $s $(grep " $s\$" /proc/kallsyms | head -n 1 | cut -d' ' -f1)"
done
for run in smp linux; do
	words="nokaslr $(cat /job/words) ignore_loglevel"
	case $run in
	smp) set -- -k /job/smp.elf ;;
	*) if [ -d /job/boot ]; then
		# shellcheck disable=SC2046,SC2016
		set -- -k $(echo /job/boot/vmlinu[xz]-*) -m 256M -v -a "$words" -- \
			sh -c 'echo "exec: $(cat /sys/devices/system/cpu/online) $*"; exit 7' name words
	else
		set -- -k /job/kernel -m 256M -a "$words"
	fi ;;
	esac
	(
		waited=0
		until grep -q waiting /tmp/$run.err 2>/dev/null || [ $waited -ge 3000 ]; do
			sleep 0.1
			waited=$((waited + 1))
		done
		relay $run
	) &
	# Tells when the guest has come beyond its second CPU, where gdb has let it go on: what it says comes out at the end.
	(
		until cat "/tmp/$run.err" "/tmp/$run.out" 2>/dev/null | grep -q 'smp: Brought up'; do
			[ ! -e "/tmp/$run.status" ] || exit 0
			sleep 0.1
		done
		echo "RIG-BOOTED $run" >/dev/console
	) &
	hvrun=/job/hvrun
	case " $* " in *' -- '*) hvrun="$hvrun exec" ;; esac
	# shellcheck disable=SC2086
	vmm $run 600 $hvrun -c 2 --gdb 1234 "$@" </dev/null
	wait
done
# Where a second CPU is that nobody started: in the first of these times in which the guest comes to where it stays.
for seconds in 1 10 90; do
	vmm never 200 /job/hvrun -k /job/spin.elf -c 2 --timeout $seconds --symbols /job/spin.elf </dev/null >/tmp/never
	! grep -q 'spin: for ever' /tmp/never || break
done
cat /tmp/never
exit 0
L1
}

# debug RUN GDB-ARGUMENTS...: waits until L1 is ready for RUN, then gdb; its words in $job.RUN. That L1 itself
# begins may take as long as other rigs run before it.
debug() {
	local run=$1 waited=0 args=() c
	shift
	until [ -S "$job.port" ] || ! kill -0 "$rig_pid" 2>/dev/null; do sleep 0.2; done
	until grep -q "RIG-READY $run" "$log" 2>/dev/null || [ $waited -ge $((rig_limit * 5)) ]; do
		kill -0 "$rig_pid" 2>/dev/null || break
		sleep 0.2
		waited=$((waited + 1))
	done
	for c; do args+=(-ex "$c"); done
	timeout -k 5 600 gdb-multiarch -nx -batch -ex 'set pagination off' -ex 'set confirm off' \
		-ex 'set remotetimeout 300' -ex 'set tcp connect-timeout 300' "${args[@]}" \
		</dev/null >"$job.$run" 2>&1
}

# told NAME RUN REGEX...: gdb said lines like these, in this order.
told() {
	local name=$rig_arch-gdb-$1 file=$job.$2 at=0 line
	shift 2
	for want; do
		line=$(tail -n "+$((at + 1))" "$file" | grep -nE -m 1 -- "$want" | cut -d: -f1)
		if [ -z "$line" ]; then
			not_ok "$name" "gdb does not say \"$want\" after its line $at: $(tail -n 8 "$file" | tr '\n' '|') (log: $log)"
			return
		fi
		at=$((at + line))
	done
	ok "$name"
}

# symbol NAME: its address in a kernel that was not moved.
symbol() {
	printf '0x%s' "$(sed -n "s/^RIG-SYMBOL $1 0*//p" "$log" | tr -d '\r' | head -n 1)"
}

# A file with one symbol, so that gdb has a name for start_kernel.
name_start_kernel() {
	printf '.globl start_kernel\n.type start_kernel,%%function\nstart_kernel: .zero 1024\n' |
		"$rig_cc" -x assembler -nostdlib -static -no-pie -Wl,--build-id=none "-Wl,-Ttext=$1" \
			-Wl,-e,start_kernel -o "$job.symbols" - 2>"$job.cc"
}

test_arch() {
	case $rig_arch in
	x86) second=start_secondary pc=rip more='cr3 efer' ;;
	arm64) second=secondary_start_kernel pc=pc more='TTBR1_EL1 SCTLR_EL1' ;;
	riscv) second=smp_callin pc=pc more='satp sstatus' ;;
	esac
	rm -rf "$job"
	mkdir -p "$job"
	cp "out/guests/$rig_arch/smp.elf" "out/guests/$rig_arch/spin.elf" "$job/"
	cp "$rig_hvrun" "$job/hvrun"
	echo "$rig_guest_append" >"$job/words"
	rig_job_modules "$job" $rig_port_modules || return
	memory=$rig_memory
	if [ "$rig_arch" = riscv ]; then
		cp "$(rig_guest_kernel)" "$job/kernel"
		l1_job >"$job/run"
	else
		rig_l1_root >"$job/run"
		l1_job >"$job/main"
		rig_job_host "$job" && rig_job_virtiofsd "$job" || return
		memory=$rig_exec_memory
	fi
	log=$job.log
	rm -f "$log" "$job.port"
	RIG_QEMU=$qemu tests/rig/rig -a "$rig_arch" -n 3 -m "$memory" -t "$((rig_limit * 2))" -s "$job.port" -l "$log" "$job" &
	rig_pid=$!

	# A plain store is watched: what a load-exclusive and store-exclusive change cannot be, since
	# the stop between the two makes the store fail for ever. On x86 QEMU keeps int3 for the guest.
	at=hbreak watch='watch entries[1]' other=break
	case $rig_arch in
	riscv) at='break' watch='break plat_cpu_start' ;;
	x86) other=hbreak ;;
	esac
	debug smp "file out/guests/$rig_arch/smp.elf" "target remote $job.port" "$at guest_main" 'continue' \
		'backtrace' 'stepi' 'stepi' 'p $pc != guest_main' 'delete' "$watch" 'continue' 'delete' \
		"$other other" 'continue' 'info threads' 'backtrace 1' 'p counter' 'kill'
	told guest smp 'hit Breakpoint 1, guest_main' '^#0 +guest_main' '^#1 ' '^\$1 = 1'
	told second-cpu smp 'hit Breakpoint 3, other \(cpu=1\)' '^\* 2 +Thread 2 "vcpu 1"' '^#0 +other'
	[ "$rig_arch" = riscv ] || told watch smp 'hit Hardware watchpoint 2: entries' 'Old value = .*0x0' 'New value = .*<other>'

	until grep -q 'RIG-READY linux' "$log" || ! kill -0 "$rig_pid" 2>/dev/null; do sleep 0.2; done
	start=$(symbol start_kernel)
	second_at=$(symbol $second)
	name_start_kernel "$start"
	case $rig_arch in
	riscv)
		# No breakpoints of the processor: in memory, before there is paging. The second behind the eight bytes
		# that the kernel rewrites in each function when it prepares for tracing.
		second_at=$(printf '0x%x' $((second_at + 8)))
		debug linux "file $job.symbols" "target remote $job.port" "break *start_kernel" 'continue' \
			"info registers $pc $more" 'backtrace' 'delete' 'stepi' 'stepi' "p \$pc != $start" \
			'eval "watch *(long *)%#lx", $sp - 256' 'continue' 'delete' "break *$second_at" 'continue' \
			'info threads' 'kill'
		told start-kernel linux 'hit Breakpoint 1,.*start_kernel' "pc +$start" '^#0 .*start_kernel'
		told watch-refused linux 'Could not insert hardware watchpoint'
		;;
	*) # Ctrl-C while the kernel boots, and on to the end of the command.
		debug linux "file $job.symbols" "target remote $job.port" "hbreak *start_kernel" 'continue' \
			"info registers $pc $more" 'backtrace' 'delete' 'stepi' 'stepi' "p \$pc != $start" \
			'eval "watch *(long *)%#lx", $sp - 256' 'continue' 'delete' "hbreak *$second_at" 'continue' \
			'info threads' 'delete' \
			"shell { until grep -q 'RIG-BOOTED linux' $log; do kill -0 \$PPID || exit; sleep 0.1; done; kill -INT \$PPID; } &" \
			'continue' 'p $pc != 0' 'backtrace 1' 'continue'
		told start-kernel linux 'hit Breakpoint 1,.*start_kernel' "$pc +$start" '^#0 .*start_kernel'
		# The stack below, which the next calls write.
		told watch-linux linux 'hit Hardware watchpoint 2' 'Old value = ' 'New value = '
		told interrupt linux 'received signal SIGINT' '^\$2 = 1' '^#0 ' 'exited with code 07'
		;;
	esac
	told steps linux '^\$1 = 1'
	told second-cpu-linux linux '^\* 2 +Thread 2 "vcpu 1"'
	status=0
	wait "$rig_pid" || status=$?
	is "$rig_arch-gdb-boot" "$status" 0
	is "$rig_arch-never-started" "$(grep -cE '^never err: hvrun: vcpu (0: at |1: the guest never started it)' "$log")" 2
	[ "$rig_arch" = riscv ] || is "$rig_arch-gdb-exec" "$(tr -d '\r' <"$log" | grep -cE '^(exec: 0-1 words|RIG-STATUS linux 7)$')" 2
}

command -v gdb-multiarch >/dev/null || {
	skip rig-gdb 'gdb-multiarch is not installed'
	exit 0
}
# A boot of L1 each: the short form shows one architecture. On riscv the stock kernel's half has not been
# seen to pass yet (docs/debugging.md).
archs=arm64
if [ -n "${HVRUN_TEST_LONG:-}" ]; then archs='x86 arm64 riscv'; elif [ -z "${RIG_ARCHS:-}" ]; then
	skip rig-gdb-x86 'in the long form only'
	skip rig-gdb-riscv 'in the long form only'
fi
test_one() {
	local why='' major
	qemu=$rig_qemu
	major=$("$qemu" --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
	if [ "$rig_arch" = x86 ] && [ "${major:-0}" -lt 10 ]; then
		qemu=$(tests/rig/newer-qemu 2>"$rig_dir/gdb.qemu") || {
			skip x86-gdb "QEMU $major arms no debug registers in a nested guest, and $(tail -n 1 "$rig_dir/gdb.qemu")"
			return
		}
	fi
	{ rig_hvrun && make -s guests ARCH="$rig_arch"; } >"$rig_dir/gdb.make" 2>&1 ||
		why="hvrun or its guests could not be built: $(tail -n 1 "$rig_dir/gdb.make")"
	command -v "$rig_cc" >/dev/null || why="no $rig_cc (package $rig_cc_package)"
	if [ -n "$why" ]; then
		skip "$rig_arch-gdb" "$why"
		return
	fi
	job=$rig_dir/gdb
	test_arch
}
each_arch gdb "$archs" test_one
finish
