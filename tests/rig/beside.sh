# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2154
# What measure-blk.sh, measure-fs.sh and measure-net.sh share: hvrun and QEMU microvm of the machine's own package
# with the same guest, each in an L1 of its own, in exact virtual time of the x86 rig. Source it with the repository as
# the current folder.

# beside_begin NAME: the work folder (gone at the end) with $job for L1 and $extra for the guest's root disk;
# $vmms: hvrun, microvm, or what MEASURE_VMMS says.
beside_begin() {
	rig_load x86
	why=$(rig_missing)
	[ -z "$why" ] || { rig_say "$why"; exit 69; }
	beside_name=$1
	work=$(mktemp -d "$rig_dir/$1.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	job=$work/job extra=$work/extra
	mkdir -p "$job" "$extra/rig" "$extra/bin"
	: >"$work/times"
	vmms=${MEASURE_VMMS:-hvrun microvm}
}

# beside_job MODULE...: the kernel, an initramfs with these modules, and the programs, into $job.
beside_job() {
	cp "$(rig_guest_kernel)" "$job/kernel"
	cp "$(rig_guest_initrd "$beside_name" "$@")" "$job/initrd"
	cp "$(rig_program measure)" "$job/measure"
	case $vmms in *hvrun*) cp "$(rig_hvrun)" "$job/hvrun" ;; esac
	case $vmms in *microvm*) rig_job_microvm "$job" ;; esac
}

# For L1's script: `qemu MACHINE-WORDS ARGUMENT...` is the microvm with the guest's kernel and root disk. Its
# devices are modern ones, as hvrun's: microvm's default is virtio before 1.0, which virtiofsd ends at.
beside_l1() {
	cat <<'L1'
qemu() {
	machine=$1; shift
	LD_LIBRARY_PATH=/job/microvm /job/microvm/ld-linux-x86-64.so.2 /job/microvm/qemu -L /job/microvm/fw \
		-M "microvm,x-option-roms=off,rtc=on$machine" -global virtio-mmio.force-legacy=false -enable-kvm -cpu host -m 256 -smp 1 -nodefaults \
		-no-user-config -nographic -no-reboot -serial stdio -kernel /job/kernel -initrd /job/initrd \
		-drive id=d,file=root.img,format=raw,if=none -device virtio-blk-device,drive=d \
		"$@" -append "console=ttyS0 reboot=t quiet"
}
L1
}

# beside_run FILE FUNCTION: one L1 for each VMM, whose script $job/FILE runs /job/lib and the VMM's function of
# there; then FUNCTION is called with the VMM and what L1 printed. L1 can stop for good in software SVM under
# -icount, at a place that depends on every byte that ran before: then once more with a little less memory.
beside_run() {
	for v in $vmms; do
		printf '. /job/lib\n%s </dev/null\nexit 0\n' "$v" >"$job/$1"
		for memory in 1536 1528 1520; do
			tests/rig/rig -i -a x86 -m "$memory" -t "${MEASURE_LIMIT:-600}" -l "$work/log" "$job" && break
			rig_say "$v: once more"
		done
		tr -d '\r' <"$work/log" >"$rig_dir/$beside_name-$v.log"
		"$2" "$v" "$rig_dir/$beside_name-$v.log"
	done
}

# beside_head: the first two lines of a table with a column for each VMM.
beside_head() {
	printf '| |'
	for v in $vmms; do printf ' %s |' "$v"; done
	printf '\n|---|'
	for v in $vmms; do printf -- '---:|'; done
	echo
}
