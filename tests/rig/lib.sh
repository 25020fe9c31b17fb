# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# What tests/rig/rig, the tests beside it and tools/boot share: reading an architecture's
# description, and making (once each, kept under out/rig/) the initramfs of the host in QEMU
# (L1), the initramfs of the guest (L2) and its root disk. Source it with the repository as
# the current folder; call rig_load ARCH first. Names beginning rig_ are this file's.

rig_say() { printf 'rig: %s\n' "$*" >&2; }

# Reads the description of an architecture and names the files made for it.
rig_load() {
	rig_arch=$1
	rig_qemu_mended=''     # a command that prints a mended copy of the machine's QEMU, or fails
	rig_qemu_args_other='' # a second machine, where the first cannot show all
	rig_qemu_args_full=''  # and one that has all that KVM can hand on
	rig_full_shows=true    # a command in the guest that says whether it is there
	rig_qemu_args_less=''  # and one that lacks what most have, for the long form
	rig_less_shows=true
	rig_other_shows=true   # the same for what the second machine shows
	rig_other_host=true    # a command in its L1
	rig_other_lacks=''     # an option that its host has to refuse
	rig_smp=2 # CPUs of L1 for a guest with two
	rig_smp_one=1 # and for a guest with one
	rig_measure_memory=1024 # MiB of L1 while measuring
	rig_measure_modules='' # more for the guest, for other VMMs
	rig_exit_key=exit_reason # the field of the kvm_exit tracepoint that says why
	rig_two_options='' # more of hvrun's for the guest with two CPUs, modules for it, and checks
	rig_two_modules='' rig_two_guest_modules='' rig_two_checks=''
	rig_kvmtool_options='--virtio-transport mmio'
	rig_limit=600 # seconds that a test's boot of a guest may take in all
	rig_exec_modules='' # that exec's root needs besides
	rig_exec_memory=1024 # MiB of L1 while it runs some of exec's guests
	rig_exec_limit=1500 # seconds for all of exec's guests in one L1
	rig_device_cpus=2 # of the guest in which the devices are tested
	rig_device_limit=900 # seconds for all of that
	[ -f "tests/rig/$rig_arch.conf" ] || {
		rig_say "there is no description tests/rig/$rig_arch.conf"
		return 1
	}
	# shellcheck disable=SC1090
	. "tests/rig/$rig_arch.conf"
	rig_limit=${RIG_LIMIT:-$rig_limit} # a busy machine wants more
	rig_qemu=${RIG_QEMU:-$rig_qemu}    # another version of that architecture's QEMU
	rig_dir=$PWD/out/rig/$rig_arch
	mkdir -p "$rig_dir"
}

# Why the rig cannot run here, in words; nothing when it can.
rig_missing() {
	command -v "$rig_qemu" >/dev/null || {
		echo "no $rig_qemu (package $rig_qemu_package)"
		return 0
	}
	for rig_tool in cpio mkfs.ext4 debugfs apt-get dpkg-deb; do
		rig_have "$rig_tool" || echo "no $rig_tool"
	done | head -n 1
}

# mkfs and debugfs live in sbin, which is not in everyone's PATH.
rig_have() {
	PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null
}

# Unpacked folder of a package for this rig's architecture.
rig_package() {
	tools/debian-fetch "$rig_deb_arch" "$rig_suite" "$1"
}

# The first file that matches PATTERN in FOLDER.
rig_first() {
	# shellcheck disable=SC2086
	(cd "$1" && ls -d $2 2>/dev/null) | LC_ALL=C sort | head -n 1 | sed "s|^|$1/|"
}

rig_kernel() {
	rig_kernel_tree=$(rig_package "$rig_kernel_package") || return 1
	rig_first "$rig_kernel_tree" "$rig_kernel_file"
}

rig_guest_kernel() {
	rig_guest_tree=$(rig_package "$rig_guest_kernel_package") || return 1
	rig_first "$rig_guest_tree" "$rig_guest_kernel_file"
}

# Modules of TREE into FOLDER, unpacked, and FOLDER.list: their names in load order.
rig_copy_modules() {
	rig_tree=$1 rig_to=$2
	shift 2
	mkdir -p "$rig_to"
	rig_order=$(tools/module-order "$rig_tree" "$@") || return 1
	: >"$rig_to.list"
	for rig_ko in $rig_order; do
		rig_name=$(basename "$rig_ko")
		rig_name=${rig_name%%.ko*}.ko
		case $rig_ko in
		*.xz) xz -dc "$rig_ko" >"$rig_to/$rig_name" ;;
		*.zst) zstd -dcq "$rig_ko" >"$rig_to/$rig_name" ;;
		*) cp "$rig_ko" "$rig_to/$rig_name" ;;
		esac
		echo "$rig_name" >>"$rig_to.list"
	done
}

# More modules for L1, by a job: into JOB/modules in load order, without what L1 loads anyway.
rig_job_modules() {
	rig_jm_job=$1
	shift
	[ $# -gt 0 ] || return 0
	rig_jm_tree=$(rig_package "$rig_kernel_package") || return 1
	rig_copy_modules "$rig_jm_tree" "$rig_jm_job/modules" "$@" || return 1
	# shellcheck disable=SC2086
	for rig_ko in $(tools/module-order "$rig_jm_tree" $rig_modules); do
		rig_name=$(basename "$rig_ko")
		sed -i "/^${rig_name%%.ko*}\.ko\$/d" "$rig_jm_job/modules.list"
	done
}

# rig_job_install JOB PACKAGE PATTERN...: files of a package for this rig's architecture, programs and
# libraries, into JOB/root. L1 has them at /usr, /lib and /lib64 then, where their loader looks.
rig_job_install() {
	rig_ji_root=$1/root
	rig_ji_tree=$(rig_package "$2") || return 1
	shift 2
	mkdir -p "$rig_ji_root/usr/lib" "$rig_ji_root/usr/lib64"
	for rig_pattern in "$@"; do
		(cd "$rig_ji_tree" && find . -path "./$rig_pattern" \( -type f -o -type l \)) |
			while read -r rig_file; do
				# Suites differ in whether /lib is /usr/lib already.
				rig_to=${rig_file#./}
				rig_to=usr/${rig_to#usr/}
				mkdir -p "$rig_ji_root/$(dirname "$rig_to")"
				cp -P "$rig_ji_tree/$rig_file" "$rig_ji_root/$rig_to"
			done
	done
}

# The distribution's virtiofsd with its libraries, for L1.
rig_job_virtiofsd() {
	if [ "$rig_suite" = bookworm ]; then
		rig_job_install "$1" qemu-system-common usr/lib/qemu/virtiofsd &&
			rig_job_install "$1" libglib2.0-0 '*/libglib-2.0.so.*' '*/libgmodule-2.0.so.*' &&
			rig_job_install "$1" libpcre2-8-0 '*/libpcre2-8.so.*' &&
			rig_job_install "$1" libnuma1 '*/libnuma.so.*'
	else
		rig_job_install "$1" virtiofsd usr/libexec/virtiofsd &&
			rig_job_install "$1" libgcc-s1 '*/libgcc_s.so.*'
	fi &&
		rig_job_install "$1" libseccomp2 '*/libseccomp.so.*' &&
		rig_job_install "$1" libcap-ng0 '*/libcap-ng.so.*' &&
		rig_job_install "$1" libc6 '*/ld-linux*' '*/libc.so.6' '*/libm.so.6'
}

# rig_job_host JOB: the guest's kernel and the modules that `hvrun exec` takes, for L1, as the package has them:
# /job/boot/vmlinuz-RELEASE and /lib/modules/RELEASE.
rig_job_host() {
	rig_h_tree=$(rig_package "$rig_guest_kernel_package") || return 1
	rig_h_kernel=$(rig_guest_kernel) || return 1
	rig_h_release=$(basename "$rig_h_kernel" | cut -d- -f2-)
	rig_h_from=$(rig_first "$rig_h_tree" "lib/modules/$rig_h_release usr/lib/modules/$rig_h_release")
	rig_h_to=$1/root/usr/lib/modules/$rig_h_release
	mkdir -p "$1/boot" "$rig_h_to" && cp "$rig_h_kernel" "$1/boot/" &&
		cp "$rig_h_from"/modules.* "$rig_h_to/" || return 1
	# shellcheck disable=SC2086
	for rig_h_module in $(tools/module-order "$rig_h_tree" virtio_mmio virtio_console virtio_blk virtiofs overlay 		$rig_exec_modules); do
		rig_h_file=$rig_h_to/${rig_h_module#"$rig_h_from/"}
		mkdir -p "$(dirname "$rig_h_file")" && cp "$rig_h_module" "$rig_h_file" || return 1
	done
}

# A job's script that goes over to a root in which programs find their libraries, and runs /job/main there.
# Programs that lock themselves in by pivot_root want a root that is a mount; an initramfs is none.
rig_l1_root() {
	cat <<'L1'
mkdir /newroot
mount -t tmpfs root /newroot
cd /newroot
for d in bin dev proc sys tmp rig job out; do
	mkdir $d
	mount --rbind /$d $d
done
mkdir etc
cp /etc/* etc/
mkdir -p /job/root/usr/lib /job/root/usr/lib64
ln -s job/root/usr usr
ln -s usr/lib lib
ln -s usr/lib64 lib64
mount -o move . /
exec chroot . /bin/sh /job/main
L1
}

# The busybox of this rig's architecture.
rig_busybox() {
	rig_bb_tree=$(rig_package busybox-static) || return 1
	rig_first "$rig_bb_tree" '*bin/busybox usr/bin/busybox'
}

# Is OUT newer than all that it is made from?
rig_fresh() {
	rig_out=$1
	shift
	[ -s "$rig_out" ] || return 1
	for rig_src in "$@"; do
		[ "$rig_src" -nt "$rig_out" ] && return 1
	done
	return 0
}

# Two runs at once make the files that they share one after the other.
rig_lock() {
	command -v flock >/dev/null || return 0
	exec 8>"$rig_dir/lock"
	flock 8
}
rig_unlock() { exec 8>&-; }

# L1's initramfs: busybox, the modules of KVM and of the out disk, tests/rig/l1-init.
rig_base() {
	rig_base_out=$rig_dir/base.cpio
	rig_b_tree=$(rig_package "$rig_kernel_package") || return 1
	rig_b_box=$(rig_busybox) || return 1
	rig_lock
	if ! rig_fresh "$rig_base_out" tests/rig/l1-init tests/rig/l1-lib "tests/rig/$rig_arch.conf" \
		tests/rig/lib.sh "$rig_b_tree" "$rig_b_box"; then
		rig_t=$rig_dir/base
		rm -rf "$rig_t"
		mkdir -p "$rig_t/bin" "$rig_t/dev" "$rig_t/proc" "$rig_t/sys" "$rig_t/tmp" "$rig_t/rig" \
			"$rig_t/job" "$rig_t/out" "$rig_t/etc"
		cp "$rig_b_box" "$rig_t/bin/busybox"
		cp tests/rig/l1-init "$rig_t/init"
		cp tests/rig/l1-lib "$rig_t/rig/lib"
		chmod 755 "$rig_t/init" "$rig_t/bin/busybox"
		echo 'root:x:0:0:root:/:/bin/sh' >"$rig_t/etc/passwd"
		# shellcheck disable=SC2086
		rig_copy_modules "$rig_b_tree" "$rig_t/rig/kvm" $rig_modules || return 1
		# shellcheck disable=SC2086
		rig_copy_modules "$rig_b_tree" "$rig_t/rig/outdisk" $rig_out_modules || return 1
		tools/pack-cpio "$rig_t" "$rig_base_out"
	fi
	rig_unlock
	echo "$rig_base_out"
}

# The guest's initramfs: busybox, the modules of its virtio devices, tests/rig/l2-init.
# rig_guest_initrd [NAME MODULE...] makes another one with more modules.
rig_guest_initrd() {
	rig_gi_out=$rig_dir/${1:-guest}.cpio
	[ $# -eq 0 ] || shift
	rig_g_tree=$(rig_package "$rig_guest_kernel_package") || return 1
	rig_g_box=$(rig_busybox) || return 1
	rig_lock
	[ "$(cat "$rig_gi_out.words" 2>/dev/null)" = "$*" ] || rm -f "$rig_gi_out"
	if ! rig_fresh "$rig_gi_out" tests/rig/l2-init "tests/rig/$rig_arch.conf" tests/rig/lib.sh \
		"$rig_g_tree" "$rig_g_box"; then
		echo "$*" >"$rig_gi_out.words"
		rig_t=$rig_dir/guest
		rm -rf "$rig_t"
		mkdir -p "$rig_t/bin" "$rig_t/dev" "$rig_t/proc" "$rig_t/sys" "$rig_t/root" "$rig_t/tmp"
		cp "$rig_g_box" "$rig_t/bin/busybox"
		cp tests/rig/l2-init "$rig_t/init"
		chmod 755 "$rig_t/init" "$rig_t/bin/busybox"
		# shellcheck disable=SC2086
		rig_copy_modules "$rig_g_tree" "$rig_t/modules" $rig_guest_modules "$@" || return 1
		tools/pack-cpio "$rig_t" "$rig_gi_out"
	fi
	rig_unlock
	echo "$rig_gi_out"
}

# QEMU of this machine for L1, as JOB/microvm/: it is dynamic, and takes its libraries and the firmware of its
# microvm machine along.
rig_job_microvm() { # JOB
	mkdir -p "$1/microvm/fw"
	rig_m_qemu=$(command -v "$rig_qemu")
	cp "$rig_m_qemu" "$1/microvm/qemu"
	ldd "$rig_m_qemu" | awk '/=> \// { print $3 } /^[ \t]*\/.*ld-linux/ { print $1 }' |
		while read -r rig_m_so; do cp -L "$rig_m_so" "$1/microvm/"; done
	for rig_m_fw in qboot.rom bios-microvm.bin linuxboot_dma.bin; do
		for rig_m_dir in /usr/share/seabios /usr/share/qemu; do
			[ ! -f "$rig_m_dir/$rig_m_fw" ] || cp -L "$rig_m_dir/$rig_m_fw" "$1/microvm/fw/"
		done
	done
}

# One of the small static programs of this folder, built for this rig's architecture.
rig_program() {
	rig_p_out=$rig_dir/bin/$1
	mkdir -p "$rig_dir/bin"
	rig_lock
	if ! rig_fresh "$rig_p_out" "tests/rig/$1.c"; then
		"$rig_cc" -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -static -s -o "$rig_p_out" \
			"tests/rig/$1.c" || return 1
	fi
	rig_unlock
	echo "$rig_p_out"
}

# hvrun for this rig's architecture, built when it is not there or not new.
rig_hvrun() {
	if [ -n "${RIG_VMM:-}" ]; then
		echo "$RIG_VMM"
		return 0
	fi
	rig_lock
	make -s -j"$(nproc)" static ARCH="$rig_arch" >"$rig_dir/make.log" 2>&1 || {
		rig_unlock
		rig_say "make static ARCH=$rig_arch failed ($rig_dir/make.log):"
		tail -n 5 "$rig_dir/make.log" >&2
		return 1
	}
	rig_unlock
	echo "$PWD/$rig_hvrun"
}

# rig_root_disk OUT MIB [EXTRA]: an ext4 root disk with a busybox userland; the files of the
# folder EXTRA are laid over it. /rig/job in it, when there, is run instead of a shell.
rig_root_disk() {
	rig_r_box=$(rig_busybox) || return 1
	rig_r_native=$(tools/debian-fetch "$(dpkg --print-architecture)" "$rig_suite" busybox-static) ||
		return 1
	rig_r_native=$(rig_first "$rig_r_native" '*bin/busybox usr/bin/busybox')
	tools/make-root-disk "$rig_r_box" "$rig_r_native" "$@"
}
