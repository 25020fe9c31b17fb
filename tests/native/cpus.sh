#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Processors, their timers, and a device's interrupt.
. "$(dirname "$0")/common"
need_guests

for n in 1 2 3 8 32; do
	sum=$((100 * (n * (n + 1) / 2 - 1)))
	run smp -m 64M -c $n
	expect "native-smp-$n" 0 "smp: all arrived, counter $sum"
	if grep -qx "smp: $n processors" "$TMP/out.lines"; then
		ok "native-smp-$n-madt"
	else
		not_ok "native-smp-$n-madt" "$(last_words)"
	fi
done
run smp -m 64M -c 4 -a x2apic
expect native-smp-x2apic 0 "smp: all arrived, counter 900"

run timer -m 64M
expect native-timer 0 "timer: periodic"
run timer -m 64M -a x2apic
expect native-timer-x2apic 0 "timer: periodic"
run pit -m 64M
expect native-pit 0 "pit: ticks"
run irq -m 64M
expect native-irq 0 "irq: 20 interrupts, event index"
run irq -m 64M -c 2
expect native-irq-smp 0 "irq: 20 interrupts, event index"

for n in 1 2 3 32; do
	run cpuid -m 64M -c $n
	expect "native-cpuid-$n" 0 "cpuid: $n processors say the same"
done

# A status handed in by another processor, and by all of them at once.
run status -m 64M -c 5 -a "status=17 other"
expect native-status-other-cpu 17
wrong=
for i in $(seq 10); do
	run status -m 64M -c 8 -a "status=18 all"
	[ "$status" -eq 18 ] || wrong="$wrong $i:$status"
done
if [ -z "$wrong" ]; then
	ok native-status-all-cpus
else
	not_ok native-status-all-cpus "runs that ended otherwise:$wrong: $(last_words)"
fi

run latency -m 64M
expect native-latency 0
grep '^latency:' "$TMP/out.lines" | sed 's/^/# /'
