#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Devices with Debian's stock drivers, inside each rig that has a description here. A boot in software
# takes its 15 seconds and more, so all devices share one boot for each architecture; what each
# adds to it is a script of tests/rig/devices/, described in docs/rigs.md.
#
# There are three forms. `exact` is in virtual time with one CPU for all: nothing comes too late however busy this
# machine is, and a run is like the one before. `real` has two CPUs in the guest, and a thread of QEMU for
# each CPU of L1, as what meets only by chance needs it; it is slow, and slower beside others. `pci` is `exact` with
# all of the devices on a PCI bus (x86).
#
#   RIG_ARCHS="x86" RIG_DEVICES="net rng" RIG_FORMS=real tests/rig/test-devices.sh    only some of all
# RIG_OPTIONS are more options for hvrun.
cd "$(dirname "$0")/../.." || exit 1
. tests/rig/lib.sh
. tests/rig/report.sh

# What a device's script may define; each has this meaning where it does not.
prepare() { :; }       # on this machine: files into $job (L1's /job) and $extra (the guest's /)
l1_modules() { :; }    # modules for L1, words
guest_modules() { :; } # modules for the guest, words
options() { :; }       # hvrun's options, words; the folder is /tmp in L1
l1_before() { :; }     # a script for L1, before hvrun starts
l1_during() { :; }     # a script for L1 while it runs; its output is typed into the guest
guest() { :; }         # a script for the guest
l1_after() { :; }      # a script for L1, when hvrun has ended
judge() { :; }         # on this machine, reports from $log

# with NAME FUNCTION: runs FUNCTION of one device's script, or its default.
with() (
	# shellcheck disable=SC1090
	. "tests/rig/devices/$1.sh" && "$2"
)

# One device's reports; its status tells of a failure, which it counts in a subshell of its own.
judge_one() (
	# shellcheck disable=SC1090
	. "tests/rig/devices/$1.sh" && judge && finish
)

# The scripts of all devices for one place, each in a subshell of its own, so that none disturbs
# another by its variables.
scripts() {
	for device in $devices; do
		echo "# -- $device"
		echo '( :'
		with "$device" "$1"
		echo ')'
	done
}

guest_job() {
	cat <<'GUEST'
dmesg -n 1 # the kernel's own words would break into ours
check() { # NAME COMMAND...: RIG-CHECK NAME ok, or what the command printed
	name=$1; shift
	if said=$("$@" 2>&1); then echo "RIG-CHECK $name ok"; else
		echo "RIG-CHECK $name failed: $said" | tr '\n' ' '; echo; fi
	echo "RIG-AT $(cut -d' ' -f1 /proc/uptime) s: after $name" # to see what takes long
}
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
# typed TEXT: waits for that line, typed by a script of l1_during.
typed() { while read -r line; do [ "$line" != "$1" ] || return 0; done; return 1; }
# has FEATURE-BIT DEVICE: whether the driver took a feature of a virtio device in sysfs.
has() { [ "$(cut -c$(($1 + 1)) "$2/features")" = 1 ]; }
stty -echo
GUEST
	scripts guest
	echo 'echo RIG-GUEST-DONE'
}

l1_job() {
	cat <<'L1'
. /rig/lib
limit=$(cat /job/limit)
[ ! -f /job/modules.list ] || while read -r m; do
	insmod "/job/modules/$m" || echo "rig: L1 could not load $m"
done </job/modules.list
# On the console at once, and once more at the end: the guest's bytes come between.
say() { echo "$*" | tee -a /tmp/said >/dev/console; }
check() {
	name=$1; shift
	if said=$("$@" 2>&1); then say "RIG-CHECK $name ok"; else
		say "$(echo "RIG-CHECK $name failed: $said" | tr '\n' ' ')"; fi
}
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
mkdir -p /tmp/work
cp /job/root.img /tmp/
cd /tmp
L1
	scripts l1_before
	echo '{'
	scripts l1_during
	cat <<'L1'
	ended devices
} | vmm devices "$limit" /job/hvrun --kernel /job/kernel --initrd /job/initrd --memory 256M \
	--cpus "$(cat /job/cpus)" --append "$(cat /job/words)" --disk root.img $(cat /job/options)
status=$?
L1
	scripts l1_after
	echo "grep '^RIG-CHECK ' /tmp/said; exit \$status"
}

# The devices whose scripts can be prepared here, in $devices.
prepare_all() {
	devices=
	for device in ${RIG_DEVICES:-$(cd tests/rig/devices && ls -- *.sh | sed 's/\.sh$//')}; do
		if with "$device" prepare >"$work/prepare.log" 2>&1; then
			devices="$devices $device"
		else
			# The script's last word says what is missing.
			skip "$rig_arch-$device" "$(tail -n 1 "$work/prepare.log")"
		fi
	done
}

all_words() { for device in $devices; do with "$device" "$1"; done | tr '\n' ' '; }

run_devices() {
	work=$rig_dir/devices-$form
	job=$work/job extra=$work/extra
	rm -rf "$work" && mkdir -p "$job" "$extra/rig" "$extra/bin"
	disk=32 limit=$rig_device_limit memory=$rig_memory # MiB, seconds, MiB
	[ -z "${HVRUN_TEST_LONG:-}" ] || disk=64 limit=$((limit * 6)) memory=$((memory + 512))
	prepare_all
	guest_job >"$extra/rig/job"
	rig_l1_root >"$job/run"
	l1_job >"$job/main"
	echo "$(all_words options)" "$form_options" "${RIG_OPTIONS:-}" >"$job/options"
	echo "$cpus" >"$job/cpus"
	echo "$rig_guest_append" >"$job/words"
	echo "$((limit - 40))" >"$job/limit"
	# shellcheck disable=SC2046
	rig_root_disk "$job/root.img" "$disk" "$extra" &&
		rig_job_modules "$job" $(all_words l1_modules) &&
		cp "$(rig_hvrun)" "$job/hvrun" &&
		cp "$(rig_guest_kernel)" "$job/kernel" &&
		cp "$(rig_guest_initrd devices $(all_words guest_modules))" "$job/initrd" || return 1
	# shellcheck disable=SC2086
	run_rig $rig_words -a "$rig_arch" -m "$memory" -t "$limit" -l "$work/log" -o "$work/out" "$job"
	log=$work/log
	from_guest_prefix=$prefix-
	is "$rig_arch-$prefix-status" "$status" 0
	is "$rig_arch-$prefix-done" "$(grep -c '^RIG-GUEST-DONE' "$log")" 1
	for device in $devices; do judge_one "$device" || report_failed=1; done
	from_guest_prefix=
}

prepared() {
	form_options=
	case $form in
	exact) cpus=1 rig_words='-i -n 1' prefix=devices ;;
	pci) cpus=1 rig_words='-i -n 1' prefix=devices-pci form_options='--virtio pci' ;;
	real) cpus=$rig_device_cpus rig_words="-n $rig_smp" prefix=devices-real ;;
	esac
	run_devices || not_ok "$rig_arch-$prefix-prepare" "a part for the run could not be made, see above"
}

each_form() {
	has_hvrun devices-build || return 0
	for form in ${RIG_FORMS:-exact real pci}; do
		[ "$form" != pci ] || [ "$rig_arch" = x86 ] || continue
		at_once prepared
	done
}

[ -n "${RIG_FORMS:-}${HVRUN_TEST_LONG:-}" ] || {
	RIG_FORMS=exact
	skip devices-real 'the form in real time is in the long form only'
	skip devices-pci 'x86 with all devices on a PCI bus is in the long form only'
}
archs=$(every_arch)
# Some two minutes each on x86 and riscv64; x86 has virtio-net, -rng and -console in test-boot.sh too.
[ -n "${RIG_ARCHS:-}${HVRUN_TEST_LONG:-}" ] || {
	archs=arm64
	skip x86-devices 'in the long form only'
	skip riscv-devices 'in the long form only'
}
each_arch devices "$archs" each_form
all_done
finish
