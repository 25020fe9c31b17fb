#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The rig by itself, without hvrun: that statuses and files come back from L1, that a hang is noticed,
# that what it makes is the same each time, and that the machine's apt sources are read rightly.
cd "$(dirname "$0")/../.." || exit 1
. tests/rig/lib.sh
. tests/rig/report.sh
scratch=${TMPDIR:-/tmp}/rig-runner.$$
mkdir -p "$scratch"
trap 'rm -rf "$scratch"' EXIT

# -- apt sources of both forms, without the network ---------------------------------------------

apt=$scratch/apt
mkdir -p "$apt/sources.list.d"
cat >"$apt/sources.list" <<'LIST'
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/a/key.gpg] http://one.example/debian bookworm main contrib # a comment
deb-src http://one.example/debian bookworm main
deb http://one.example/debian bookworm-backports main
deb http://vendor.example/repo stable-vendor main
LIST
cat >"$apt/sources.list.d/debian.sources" <<'SOURCES'
Types: deb deb-src
# inside a stanza
URIs: http://two.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main non-free
Signed-By: /b/key.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://three.example/security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 text
 -----END PGP PUBLIC KEY BLOCK-----
SOURCES
got=$(HVRUN_APT_DIR=$apt HVRUN_CACHE=$scratch/cache tools/debian-fetch --sources arm64 trixie any)
is sources "$got" "Types: deb
URIs: http://one.example/debian
Suites: trixie
Components: main
Architectures: arm64
signed-by: /a/key.gpg

Types: deb
URIs: http://two.example/debian
Suites: trixie trixie-updates
Components: main
Architectures: arm64
signed-by: /b/key.gpg

Types: deb
URIs: http://three.example/security
Suites: trixie-security
Components: main
Architectures: arm64
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 text
 -----END PGP PUBLIC KEY BLOCK-----"
rm -rf "$apt" && mkdir -p "$apt"
HVRUN_APT_DIR=$apt HVRUN_CACHE=$scratch/cache tools/debian-fetch amd64 bookworm any 2>"$scratch/err" &&
	not_ok no-sources "succeeded without sources"
is no-sources "$(grep -c 'no Debian archive is named' "$scratch/err")" 1
HVRUN_CACHE=$scratch/cache tools/debian-fetch amd64 bookworm '../x;y' 2>/dev/null
is bad-name $? 1

# -- The same bytes each time ---------------------------------------------------------------------

tree() {
	mkdir -p "$1/b" "$1/a"
	echo text >"$1/a/file"
	ln -s file "$1/a/link"
	echo more >"$1/b/z"
}
tree "$scratch/t1"
sleep 0.05
tree "$scratch/t2"
if rig_have cpio; then
	tools/pack-cpio "$scratch/t1" "$scratch/1.cpio" && tools/pack-cpio "$scratch/t2" "$scratch/2.cpio"
	is cpio-same "$(cmp "$scratch/1.cpio" "$scratch/2.cpio" && echo same)" same
	is cpio-content "$(cpio -it --quiet <"$scratch/1.cpio" | tr '\n' ' ')" "a a/file a/link b b/z "
else
	skip cpio-same "no cpio"
fi

# -- The runner -------------------------------------------------------------------------------------

rig_load x86
why=$(rig_missing)
if [ -n "$why" ]; then
	skip runner "$why"
	finish
fi
rig_root_disk "$scratch/1.img" 8 "$scratch/t1" && rig_root_disk "$scratch/2.img" 8 "$scratch/t2"
is disk-same "$(cmp "$scratch/1.img" "$scratch/2.img" && echo same)" same
is disk-owner "$(PATH=$PATH:/usr/sbin debugfs -R 'stat /a/file' "$scratch/1.img" 2>/dev/null |
	sed -n 's/.*User: *\([0-9]*\) *Group: *\([0-9]*\).*/\1 \2/p')" "0 0"

# Whether it helps is seen by the long form of test-devices.sh alone: what it mends strikes seldom.
if mended=$(tests/rig/mended-qemu "$scratch/mended" 2>"$scratch/err"); then
	is mended-qemu "$(cmp -l "$(command -v "$rig_qemu")" "$mended" | wc -l)" 6
	is mended-qemu-once "$(tests/rig/mended-qemu "$scratch/mended") $(ls "$scratch/mended/bin")" "$mended qemu-system-x86_64"
	# A copy has the store no more.
	PATH=$scratch/mended/bin:$PATH tests/rig/mended-qemu "$scratch/not" >"$scratch/said" 2>"$scratch/err"
	is mended-qemu-unknown "$? $(cat "$scratch/said") $(grep -c 'is not as this script knows it' "$scratch/err")" "69  1"
else
	skip mended-qemu "$(tail -n 1 "$scratch/err")"
fi

mkdir -p "$scratch/job"
cat >"$scratch/job/run" <<'JOB'
. /rig/lib
[ -c /dev/kvm ] && echo HAVE-KVM
printf 'from L1' >/out/note
vmm fails 200 sh -c 'echo on stdout; echo on stderr >&2; exit 7'
vmm hangs 1 sleep 100
exit 42
JOB
tests/rig/rig -t 300 -o "$scratch/out" "$scratch/job" 2>"$scratch/err"
is runner-status $? 42
log=$scratch/job.log
is runner-kvm "$(grep -c '^HAVE-KVM$' "$log")" 1
is runner-file "$(cat "$scratch/out/note")" "from L1"
is runner-apart "$(grep -cx -e 'on stdout' -e 'fails err: on stderr' -e 'RIG-STATUS fails 7' "$log")" 3
is runner-vmm-timeout "$(grep -c '^RIG-STATUS hangs 137' "$log")" 1
# One that has not begun in time is started anew, twice, and the last has all the time there is.
echo 'exit 42' >"$scratch/job/run"
RIG_BEGIN=0 tests/rig/rig -t 300 "$scratch/job" 2>"$scratch/err"
is runner-begins-late "$? $(grep -c 'L1 has not begun within 0 s; it is started once more' "$scratch/err")" "42 2"
echo 'sleep 1000' >"$scratch/job/run"
tests/rig/rig -t 2 "$scratch/job" 2>"$scratch/err"
is runner-hang "$? $(grep -c 'did not end within 2 s' "$scratch/err")" "125 1"
is runner-no-qemu-left "$(pgrep -f "$scratch/job" | wc -l)" 0
finish
