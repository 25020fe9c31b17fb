#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The bare-metal guests (guests/) of the architectures that this machine is not, all in one host in
# the rig; tests/native runs this machine's own. Each run of a guest is reported by itself.
cd "$(dirname "$0")/../.." || exit 1
. tests/rig/lib.sh
. tests/rig/report.sh

# NAME STATUS LINE|- GUEST [OPTIONS...]: how the run ends, and one line that the console has.
cases() {
	cat <<'CASES'
hello 0 hello:_a_guest_of_hvrun hello -a one_two
append-only 0 hello:_command_line:_just_this hello --append-only -a just_this
status-7 7 - status -a status=7
status-255 255 - status -a status=255
status-other-cpu 17 - status -c 2 -a status=17_other
reset 0 reset:_now reset
crash 134 triple:_now triple
panic 134 - panic
panic-hangs 134 - panic -a hang
panic-loaded 0 - panic -a loaded
timeout 124 spin:_for_ever spin --timeout TIME
until 0 spin:_for_ever spin --until for_ever
fail-on 1 spin:_for_ever spin --fail-on for_ever
badop 120 badop:_now badop
mem 0 mem:_65536_KiB_in_1_regions mem
mem-12G 0 mem:_12582912_KiB_in_1_regions mem -m 12G
timer 0 timer:_periodic timer
irq 0 irq:_20_interrupts,_event_index irq
smp-1 0 smp:_all_arrived,_counter_0 smp
smp-2 0 smp:_all_arrived,_counter_200 smp -c 2
smp-4 0 smp:_all_arrived,_counter_900 smp -c 4
virtio-rng 0 - virtio-rng
virtio-blk 0 virtio-blk:_id_SERIAL-4711,_2048_sectors,_indirect,_event_index virtio-blk -d disk,serial=SERIAL-4711
virtio-blk-ro 0 - virtio-blk -d disk,ro -a ro
virtio-console 0 virtio-console:_a_line virtio-console --console virtio
faults 0 faults:_a_page_fault_is_taken faults
faults-devices 0 - faults -d disk --console virtio
hostile 0 hostile:_done hostile -d evil
flip 0 flip:_done flip -c 2 -d evil -a rounds=50
storm-1 0 - storm -d evil --console virtio -a seed=1
storm-2 0 - storm -d evil --console virtio -a seed=2
latency 0 - latency -a rounds=20
CASES
	case $rig_arch in
	arm64) cat <<'CASES' ;;
features 0 features:_sve_yes,_signed_pointers_yes,_pmu_no features
features-pmu 0 features:_sve_yes,_signed_pointers_yes,_pmu_yes features --pmu -c 2
CASES
	riscv) cat <<'CASES' ;;
sbi 0 sbi:_by_the_debug_console sbi -c 4
sbi-virtio 0 sbi:_byte_by_byte sbi --console virtio
sbi-off 0 sbi:_4_harts sbi -c 4 -a off
sbi-cold 0 sbi:_1_harts sbi -a cold
sbi-warm 0 sbi:_1_harts sbi -a warm
CASES
	esac
}

l1_job() {
	cat <<'L1'
. /rig/lib
cd /tmp
echo 1 >/proc/sys/vm/overcommit_memory # this host has less than its guest, which touches little of it
truncate -s 1M disk
truncate -s 64K evil
underscores() { echo "$*" | tr _ ' '; }
# A blank within an option of the list is written as _ there.
once() { # OPTION...: one run of the case at hand
	case $1 in -m*) ;; *) set -- -m 64M "$@" ;; esac
	vmm "$name" 450 /job/hvrun -k "/job/$guest.elf" "$@" </dev/null >"/tmp/$name.log"
	got=$vmm_status
	tr -d '\r' <"/tmp/$name.out" >/tmp/lines
}
while read -r name want line guest options; do
	set --
	for o in $options; do set -- "$@" "$(underscores "$o")"; done
	echo "RIG-TIME $name $(cut -d" " -f1 /proc/uptime)"
	if [ "$*" = '--timeout TIME' ]; then # the first of these in which the guest comes to where it stays
		for time in 1 10 90; do
			once --timeout $time
			! grep -qxF -- "$(underscores "$line")" /tmp/lines || break
		done
	else
		once "$@"
	fi
	if [ "$got" != "$want" ]; then
		echo "RIG-CHECK $name status $got, wanted $want: $(tail -n 3 "/tmp/$name.log" | tr '\n' '|')"
	elif [ "$line" != - ] && ! grep -qxF -- "$(underscores "$line")" /tmp/lines; then
		echo "RIG-CHECK $name no line \"$(underscores "$line")\": $(tail -n 3 /tmp/lines | tr '\n' '|')"
	else
		echo "RIG-CHECK $name ok"
	fi
done </job/cases
grep '^latency:' /tmp/latency.out
word=$(dd if=disk bs=512 skip=8 count=1 2>/dev/null | head -c 32)
[ "$word" = hvrun-guest-datahvrun-guest-data ] && echo "RIG-CHECK virtio-blk-file ok" ||
	echo "RIG-CHECK virtio-blk-file sector 8 of the file is not what the guest wrote"
[ -z "$(tr -d '\0' <evil)" ] && echo "RIG-CHECK hostile-file ok" ||
	echo "RIG-CHECK hostile-file the disk changed, and no attack was a write"
grep -q 'cannot be emulated' /tmp/crash.err && echo "RIG-CHECK crash-said ok" ||
	echo "RIG-CHECK crash-said $(head -n 1 /tmp/crash.err)"
# The beginnings of the other architectures' kernels are refused by name, with 65.
for f in /job/foreign.*; do
	kind=${f#/job/foreign.}
	vmm "foreign-$kind" 200 /job/hvrun -k "$f" </dev/null >/dev/null
	if [ "$vmm_status" = 65 ] && grep -q "this is $(cat "/job/named.$kind")" "/tmp/foreign-$kind.err"; then
		echo "RIG-CHECK foreign-$kind ok"
	else
		echo "RIG-CHECK foreign-$kind status $vmm_status: $(head -n 1 "/tmp/foreign-$kind.err")"
	fi
done
mkdir -p /out
for n in 1 4; do
	vmm "dtb-$n" 300 /job/hvrun -k /job/hello.elf -m 64M -c $n --dump-dtb /out/$n.dtb -d disk \
		-i /job/cases --console virtio -a words </dev/null >/tmp/dtb.log ||
		cat /tmp/dtb.log
done
true
L1
}

run_guests() {
	work=$rig_dir/guests
	rm -rf "$work" && mkdir -p "$work/job"
	make -s guests ARCH="$rig_arch" >"$work/make.log" 2>&1 || {
		not_ok "$rig_arch-guests-build" "$(tail -n 1 "$work/make.log")"
		return 0
	}
	hvrun=$(rig_hvrun) || return 1
	# Where KVM on riscv finds no instruction it gives up; elsewhere the guest takes an exception.
	case $rig_arch in riscv) badop=134 ;; *) badop=120 ;; esac
	cases | sed "s/^badop 120 /badop $badop /" >"$work/job/cases"
	l1_job >"$work/job/run"
	for guest in $(cases | awk '{ print $4 }' | sort -u); do
		cp "out/guests/$rig_arch/$guest.elf" "$work/job/" || return 1
	done
	cp "$hvrun" "$work/job/hvrun"
	foreign=
	for other in x86 arm64 riscv; do
		[ "$other" != "$rig_arch" ] || continue
		kernel=$(rig_load "$other" && rig_guest_kernel) && head -c 65536 "$kernel" >"$work/job/foreign.$other" ||
			return 1
		case $other in
		x86) echo 'an x86 kernel (bzImage)' ;;
		arm64) echo 'an arm64 kernel' ;;
		riscv) echo 'a riscv kernel' ;;
		esac >"$work/job/named.$other"
		foreign="$foreign foreign-$other"
	done
	run_rig -a "$rig_arch" ${rig_qemu_args_full:+-M full} -n 2 -t $((rig_limit * 3)) -l "$work/log" -o "$work/out" "$work/job"
	log=$work/log
	is "$rig_arch-guests-status" "$status" 0
	from_guest_prefix=guest-
	# shellcheck disable=SC2046
	from_guest $(cases | awk '{ print $1 }') virtio-blk-file hostile-file $foreign
	[ "$rig_arch" = x86 ] || from_guest crash-said
	from_guest_prefix=
	check_tree 1
	check_tree 4
	sed -n 's/^latency:/# &/p' "$log"
}

# dtc reads the tree that hvrun wrote, without a warning, and finds in it what the guest was given.
check_tree() {
	if ! dtc -I dtb -O dts -o "$work/$1.dts" "$work/out/$1.dtb" 2>"$work/dtc" || [ -s "$work/dtc" ]; then
		not_ok "$rig_arch-dtc-$1" "$(head -n 3 "$work/dtc" | tr '\n' '|')"
		return
	fi
	is "$rig_arch-dtc-$1" \
		"$(grep -c '^		cpu@' "$work/$1.dts") cpus, $(grep -c virtio_mmio@ "$work/$1.dts") windows" \
		"$1 cpus, 3 windows"
}

prepared() { run_guests || not_ok "$rig_arch-guests-prepare" "a part for the run could not be made"; }

native=$(make -s print-arch) # whose guests are tests/native's
guests_of() {
	if [ "$rig_arch" != "$native" ] && [ -d "guests/$rig_arch" ]; then at_once prepared; fi
}
each_arch guests "$(every_arch)" guests_of
all_done
finish
