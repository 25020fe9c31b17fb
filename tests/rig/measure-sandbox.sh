#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the sandbox costs in exact virtual time: the same work without it and with it, in turns in one host, and the
# table of it for docs/measurements.md. Exits that hvrun answers, by a bare-metal guest (guests/cost.c, ticks of its own
# clock); first entry, boot to /init and reads of a disk by Debian's stock kernel.
#
#   measure-sandbox.sh [ARCH]                  x86
#   RIG_VMM=FILE measure-sandbox.sh            another static hvrun
#   MEASURE="exits first boot reads" ...       only some of it
set -eu
cd "$(dirname "$0")/../.."
. tests/rig/lib.sh
rig_load "${1:-x86}"
parts=${MEASURE:-exits first boot reads}
why=$(rig_missing)
[ -z "$why" ] || { rig_say "$why"; exit 69; }

work=$(mktemp -d "$rig_dir/measure-sandbox.XXXXXX")
trap 'rm -rf "$work"' EXIT
job=$work/job extra=$work/extra
mkdir -p "$job" "$extra/rig" "$extra/bin"
make -s guests ARCH="$rig_arch" >&2
cp "out/guests/$rig_arch/cost.elf" "$(rig_program measure)" "$job/"
cp "$(rig_guest_kernel)" "$job/kernel"
# shellcheck disable=SC2086
cp "$(rig_guest_initrd measure $rig_measure_modules)" "$job/initrd"
cp "$(rig_hvrun)" "$job/hvrun"
cp "$(rig_program blk)" "$extra/bin/blk"
cat >"$extra/rig/job" <<'GUEST'
blk reads /dev/vda 64 4096 >/dev/null
echo "RIG-MARK $(blk reads /dev/vda 2048 4096 | sed 's/.* in \([0-9]*\) us/reads:\1/')"
sync
mount -o remount,ro /
reboot -f
GUEST
rig_root_disk "$job/root.img" 16 "$extra"
echo "parts='$parts' append='$rig_guest_append'" >"$job/words"
cat >"$job/run" <<'L1'
. /job/words
cp /job/* /tmp/
cd /tmp
truncate -s 4M disk
./measure credit
exits() {
	./hvrun -q -k cost.elf -m 64M -d disk -a 'exits=3000 reads=0' --sandbox "$1" </dev/null |
		sed -n 's/.*: [1-9][0-9]* exits, \([0-9]*\) cycles each.*/\1/p'
}
stock() { # STATE MODE KEY CMDLINE [OPTIONS]
	state=$1 mode=$2 key=$3 cmdline=$4
	shift 4
	./measure m "$mode" 30 256 ./hvrun -k kernel -i initrd -m 256M --sandbox "$state" "$@" \
		-a "quiet $append $cmdline" </dev/null 2>/dev/null | sed -n "s/^MEASURE m $key //p"
}
first() { # the mean of four starts that are spread over a tick of L1's kernel (see measure.sh)
	for MEASURE_PHASE_US in 0 1000 2000 3000; do
		export MEASURE_PHASE_US
		stock "$1" first first-vcpu-us rig.stop=reset
	done | awk '{ sum += $1 } END { printf "%d\n", sum / NR }'
}
boot() { stock "$1" time init-us rig.stop=reset; }
reads() { stock "$1" time reads-us '' -d root.img; }
# What is left of a run, as its network namespace, is cleared away behind its back: a second later it is gone.
for part in $parts; do
	for state in off on off on; do
		sleep 1
		echo "RIG-MARK $part $state $($part $state)"
	done
done
exit 0
L1
for memory in 0 8 16; do
	tests/rig/rig -i -a "$rig_arch" -m $((rig_measure_memory - memory)) -t "${MEASURE_LIMIT:-900}" -l "$work/log" "$job" && break
	rig_say 'once more'
done
cp "$work/log" "$rig_dir/measure-sandbox.log"
# The first of each warms up, the second counts.
tr -d '\r' <"$work/log" | awk -v parts="$parts" '
$1 == "RIG-MARK" { us[$2, $3] = $4 }
function row(part, title, div, form,   off, on) {
	if (!(part in asked)) return
	off = us[part, "off"]; on = us[part, "on"]
	if (off > 0 && on > 0)
		printf "| %s | " form " | " form " | %.2f %% |\n", title, on / div, off / div, 100 * (on - off) / off
	else { print "not measured: " part; bad = 1 }
}
END {
	n = split(parts, p, " ")
	for (i = 1; i <= n; i++) asked[p[i]]
	print "| | on | off | cost |\n|---|---:|---:|---:|"
	row("exits", "an exit that hvrun answers (ticks)", 1, "%d")
	row("first", "first entry into the guest (ms)", 1000, "%.2f")
	row("boot", "quiet boot: /init (ms)", 1000, "%.1f")
	row("reads", "2,048 direct 4k reads (ms)", 1000, "%.1f")
	exit bad
}'
