#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Measures hvrun in the rig of one architecture in exact virtual time and writes the tables of
# docs/measurements.md to standard output. Beside it, when they are there, another VMM or two,
# measured in the same L1 by the same probe (tests/rig/measure.c):
#
#   measure.sh [-2] [ARCH]                        hvrun; x86
#   KVMTOOL=FILE measure.sh arm64                 and a static kvmtool of that architecture
#   MICROVM=1 measure.sh x86                      and QEMU microvm of the machine's own package
#   MEASURE="bare first boot count block" ...     only some of the parts
#   MEASURE_VMMS="hvrun" ...                      only some of the VMMs
#   HVRUN_ARGS="--sandbox off" ...                more words for hvrun
#
# -2: all of it twice, compared: status 1 if two times differ by more than 0.3 %.
#
# Part "exec", which is measured when it is asked for: hvrun exec with the host's root, up to the first thing
# that its command says, beside /init of a bare boot of the same kernel with the same words.
#
# "First entry" is the mean of eight starts that are spread over a tick of L1's kernel (4 ms): what sleeps in
# the kernel mostly ends with a tick, so that one start alone tells as much of its moment as of the VMM.
#
# The guest: Debian's stock kernel, 256 MiB, one CPU; in part "bare" one of guests/. The clock is L1's,
# from the VMM's exec; it counts every instruction of the host kernel, the VMM and the guest.
set -eu
cd "$(dirname "$0")/../.."
. tests/rig/lib.sh
twice=''
[ "${1:-}" != -2 ] || { twice=2; shift; }
rig_load "${1:-x86}"
parts=${MEASURE:-bare first boot count block}
why=$(rig_missing)
[ -z "$why" ] || { rig_say "$why"; exit 69; }

work=$(mktemp -d "$rig_dir/measure.XXXXXX")
log=$rig_dir/measure.log
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/job" "$work/extra/rig" "$work/extra/bin"
make -s guests ARCH="$rig_arch" >&2
cp "out/guests/$rig_arch/status.elf" "$work/job/"
cp "$(rig_guest_kernel)" "$work/job/kernel"
# shellcheck disable=SC2086
cp "$(rig_guest_initrd measure $rig_measure_modules)" "$work/job/initrd"
cp "$(rig_program measure)" "$work/job/measure"
cp "$(rig_program blk)" "$work/extra/bin/blk"
cat >"$work/extra/rig/job" <<'GUEST'
blk reads /dev/vda 64 4096 >/dev/null
echo "RIG-MARK $(blk reads /dev/vda 1024 4096 | sed 's/.* in \([0-9]*\) us/reads:\1/')"
sync
mount -o remount,ro /
reboot -f
GUEST
rig_root_disk "$work/job/root.img" 16 "$work/extra"

vmms=${MEASURE_VMMS:-hvrun ${KVMTOOL:+kvmtool} ${MICROVM:+microvm}}
case $vmms in *hvrun*) cp "$(rig_hvrun)" "$work/job/hvrun" ;; esac
case $vmms in *kvmtool*) cp "$KVMTOOL" "$work/job/kvmtool" ;; esac
case $vmms in *microvm*) rig_job_microvm "$work/job" ;; esac

# The job in L1: run_VMM NAME MODE CMDLINE [DISK] is one measured run.
cat >"$work/job/lib" <<'L1'
cp /job/* /tmp/ 2>/dev/null
cd /tmp
./measure credit
sleep 1
run_bare() {
	./measure "hvrun-bare" time 8 64 ./hvrun $hvrun_args --kernel status.elf --memory 64M \
		--append status=0 </dev/null 2>"/tmp/$1.err"
}
run_hvrun() {
	./measure "$1" "$2" 8 256 ./hvrun $hvrun_args --kernel kernel --initrd initrd --memory 256M \
		${4:+--disk "$4"} --append "$3" </dev/null 2>"/tmp/$1.err"
}
run_kvmtool() {
	./measure "$1" "$2" 8 256 ./kvmtool run -k kernel -i initrd -m 256 -c 1 \
		--network mode=none $KVMTOOL_OPTIONS ${4:+-d "$4"} -p "console=ttyS0 $3" </dev/null 2>"/tmp/$1.err"
}
run_microvm() {
	LD_LIBRARY_PATH=/job/microvm ./measure "$1" "$2" 8 256 /job/microvm/ld-linux-x86-64.so.2 \
		/job/microvm/qemu -L /job/microvm/fw -M microvm,x-option-roms=off,rtc=on \
		-enable-kvm -cpu host -m 256 -smp 1 -nodefaults -no-user-config -nographic \
		-no-reboot -serial stdio -kernel kernel -initrd initrd \
		${4:+-drive "id=d,file=$4,format=raw,if=none,cache=writeback" -device virtio-blk-device,drive=d} \
		-append "console=ttyS0 reboot=t $3" </dev/null 2>"/tmp/$1.err"
}
bare() { # once to warm up, then measured
	run_bare bare-warm >/dev/null
	run_bare hvrun-bare
	sed 's/^/hvrun-bare err: /' /tmp/hvrun-bare.err
}
run_command() {
	./measure "$1" time 30 256 ./hvrun exec $hvrun_args -k "$(echo /job/boot/vmlinu[xz]-*)" --memory 256M \
		--append "$2" -- /bin/busybox echo RIG-MARK command </dev/null 2>"/tmp/$1.err"
}
exec_command() { # CMDLINE
	run_hvrun exec-warm time "$1 rig.stop=reset" >/dev/null
	run_hvrun hvrun-exec-boot time "$1 rig.stop=reset"
	run_command exec-warm "$1" >/dev/null
	run_command hvrun-exec "$1"
	sed 's/^/hvrun-exec err: /' /tmp/hvrun-exec.err
}
one() { # VMM NAME MODE CMDLINE [DISK]: once to warm up, then measured
	"run_$1" "$1-warm" first "$4"
	if [ "$3" = first ]; then
		for MEASURE_PHASE_US in 0 500 1000 1500 2000 2500 3000 3500; do
			export MEASURE_PHASE_US
			"run_$1" "$1-$2-$MEASURE_PHASE_US" "$3" "$4"
			mv "/tmp/$1-$2-$MEASURE_PHASE_US.err" "/tmp/$1-$2.err"
		done
	else
		"run_$1" "$1-$2" "$3" "$4" "${5:-}"
	fi
	grep -vE "Info: |guest reset|KVM session ended" "/tmp/$1-$2.err" | head -n 3 | sed "s/^/$1-$2 err: /"
}
L1
echo "hvrun_args='${HVRUN_ARGS:-}'" >>"$work/job/lib"

# Each run has an L1 of its own, so that no VMM's numbers depend on another's. L1 can stop for good
# in software SVM under -icount (seen with each VMM, at a place that depends on every byte that
# ran before): then once more with a little less memory, which moves everything.
l1() { # VMM NAME COMMAND
	if [ "$2" = exec ]; then
		# The daemons that exec starts want a root with libraries.
		rig_l1_root >"$work/job/run"
		to=$work/job/main
		rig_job_host "$work/job" && rig_job_virtiofsd "$work/job"
	else
		to=$work/job/run
	fi
	{
		echo "export MEASURE_EXIT_KEY=$rig_exit_key KVMTOOL_OPTIONS='$rig_kvmtool_options'"
		echo ". /job/lib; $3; exit 0"
	} >"$to"
	for memory in 0 8 16; do
		tests/rig/rig -i -a "$rig_arch" -m $((rig_measure_memory - memory)) \
			-t "${MEASURE_LIMIT:-600}" -l "$work/log" "$work/job" && break
		rig_say "$1 $2: once more"
	done
	cat "$work/log" >>"$log"
}
run() { # NAME MODE CMDLINE [DISK]
	for v in $vmms; do l1 "$v" "$1" "one $v $1 $2 '$3' ${4:-}"; done
}
all() {
	: >"$log"
	for part in $parts; do
		case $part in
		bare) case $vmms in *hvrun*) l1 hvrun bare bare ;; esac ;;
		first) run first first rig.stop=reset ;;
		boot)
			[ "$rig_arch" != x86 ] || run on time rig.stop=reset
			run quiet time 'quiet rig.stop=reset'
			[ "$rig_arch" = x86 ] || run tuned time "$rig_guest_append rig.stop=reset"
			;;
		count) run count count 'quiet rig.stop=reset' ;;
		exec) case $vmms in *hvrun*) l1 hvrun exec "exec_command '$rig_guest_append'" ;; esac ;;
		block) run block time quiet root.img ;;
		*) rig_say "no part '$part': bare, first, boot, count, exec, block"; exit 64 ;;
		esac
	done
	sed -n '/ err: /p; /could not/p' "$log" >&2
}

all
if [ -n "$twice" ]; then
	mv "$log" "$log.first"
	all
	awk '
	$1 == "MEASURE" && $3 ~ /-us$/ && $3 !~ /^(user|system)/ {
		if (NR == FNR) { first[$2, $3] = $4; n++; next }
		if (!(($2, $3) in first)) { print "measured once only: " $2 " " $3; bad = 1; next }
		a = first[$2, $3]; d = a > $4 ? a - $4 : $4 - a
		if (d > a * 0.003) { print $2 " " $3 ": " a ", then " $4 " us"; bad = 1 }
		if (a && d / a > most) most = d / a
		both++
	}
	END {
		if (both != n || !n) { print "the second run has " both + 0 " of " n + 0 " times"; bad = 1 }
		printf "%d times measured twice, the largest difference is %.3f %%\n", both, most * 100
		exit bad
	}' "$log.first" "$log" || { rig_say "two runs differ by more than 0.3 %"; exit 1; }
fi

# -- The table ---------------------------------------------------------------------------------

echo "VMM binaries: $(for v in $vmms; do
	[ ! -f "$work/job/$v" ] || printf '%s %s bytes; ' "$v" "$(stat -c %s "$work/job/$v")"; done)"
echo "kernel $(basename "$(rig_guest_kernel)"), initramfs $(stat -c %s "$work/job/initrd") bytes;" \
	"$("$rig_qemu" --version | head -n 1)"
echo
awk -v vmms="$vmms" -v arch="$rig_arch" '
$1 == "MEASURE" && $2 ~ /-first-[0-9]+$/ && $3 == "first-vcpu-us" {
	v = $2; sub(/-[0-9]+$/, "", v)
	sum[v] += $4; m[v, $3] = sum[v] / ++starts[v]
	next
}
$1 == "MEASURE" { m[$2, $3] = $4 }
function reason(code) {
	if (code == "0x30" || code == "0x65") return "control or debug registers"
	if (code == "0x60") return "interrupt"
	if (code == "0x61") return "NMI"
	if (code == "0x64") return "interrupt window"
	if (code == "0x72") return "CPUID"
	if (code == "0x77") return "PAUSE"
	if (code == "0x78") return "HLT"
	if (code == "0x7b") return "port I/O"
	if (code == "0x7c") return "MSR"
	if (code == "0x7f") return "shutdown"
	if (code == "0x81") return "VMMCALL"
	if (code == "0x89") return "WBINVD"
	if (code == "0x400") return "nested page fault, MMIO"
	if (length(code) == 4 && code ~ /^0x[01]/) return "control or debug registers"
	if (length(code) == 3) return "control or debug registers"
	return code
}
function row(title, run, key, div, form,   i, v, any) {
	any = 0
	for (i = 1; i <= n; i++) if ((name[i] "-" run, key) in m) any = 1
	if (!any) return
	printf "| %s |", title
	for (i = 1; i <= n; i++) {
		v = m[name[i] "-" run, key]
		if (v == "") printf " - |"; else printf " " form " |", v / div
	}
	printf "\n"
}
END {
	n = split(vmms, name, " ")
	printf "| |"; for (i = 1; i <= n; i++) printf " %s |", name[i]; printf "\n|---|"
	for (i = 1; i <= n; i++) printf "---:|"; printf "\n"
	row("bare-metal guest that ends at once: exit (ms)", "bare", "end-us", 1000, "%.2f")
	row("first entry into the guest (ms), mean of 8 starts within a tick", "first", "first-vcpu-us", 1000, "%.2f")
	row("console on: /init (ms)", "on", "init-us", 1000, "%.1f")
	row("console on: exit (ms)", "on", "end-us", 1000, "%.1f")
	row("console on: bytes of console", "on", "console-bytes", 1, "%d")
	row("quiet: /init (ms)", "quiet", "init-us", 1000, "%.1f")
	row("quiet: exit (ms)", "quiet", "end-us", 1000, "%.1f")
	row("quiet: status", "quiet", "status", 1, "%d")
	row("words of the rigs (rig_guest_append): /init (ms)", "tuned", "init-us", 1000, "%.1f")
	row("words of the rigs: exit (ms)", "tuned", "end-us", 1000, "%.1f")
	row("exits until /init, quiet", "count", "kvm-exits", 1, "%d")
	row("nested page faults until /init (pf_taken)", "count", "kvm-pf_taken", 1, "%d")
	row("exits to user space for port I/O or emulation (io_exits)", "count", "kvm-io_exits", 1, "%d")
	row("mmio_exits", "count", "kvm-mmio_exits", 1, "%d")
	row("memory beyond guest RAM (KiB)", "count", "rss-beyond-ram-kib", 1, "%d")
	row("guest RAM resident (KiB)", "count", "rss-ram-kib", 1, "%d")
	row("exec: /init of a bare boot with the same words (ms)", "exec-boot", "init-us", 1000, "%.1f")
	row("exec: first output of the command (ms)", "exec", "command-us", 1000, "%.1f")
	row("exec: exit (ms)", "exec", "end-us", 1000, "%.1f")
	row("1,024 direct 4k reads (ms)", "block", "reads-us", 1000, "%.1f")
	for (k in m) {
		split(k, p, SUBSEP)
		if (p[2] ~ /^exit-/) {
			code = substr(p[2], 6); v = p[1]; sub(/-count$/, "", v)
			kind[reason(code)] += m[k]; by[reason(code), v] += m[k]; total[v] += m[k]
		}
	}
	if (arch != "x86") {
		printf "| exits of the whole quiet run |"
		for (i = 1; i <= n; i++) printf(total[name[i]] ? " %d |" : " - |", total[name[i]])
		printf "\n"
		exit
	}
	printf "\nExits of the whole quiet run by kind:\n\n| kind |"
	for (i = 1; i <= n; i++) printf " %s |", name[i]; printf "\n|---|"
	for (i = 1; i <= n; i++) printf "---:|"; printf "\n"
	while (1) {
		best = ""
		for (r in kind) if (best == "" || kind[r] > kind[best]) best = r
		if (best == "") break
		printf "| %s |", best
		for (i = 1; i <= n; i++) printf " %d |", by[best, name[i]]; printf "\n"
		delete kind[best]
	}
	printf "| all |"; for (i = 1; i <= n; i++) printf " %d |", total[name[i]]; printf "\n"
}' "$log"
