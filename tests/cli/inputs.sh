#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Files that are not what they should be: one line each that names the file, and the status of cli.md.
. "$TEST_TOP/tests/lib/sh.sh"

good=$GUESTS/hello.elf

# bad NAME STATUS REGEX WORD...: hvrun says one line that matches, prints nothing, and is quick.
bad() {
	local name=$1 want=$2 regex=$3
	shift 3
	hv -t 200 "$@"
	check "$name" "$want" "$regex" '' && one_line "$name: one line"
}

cd "$TMPDIR" || exit 1
mkdir dir
mkfifo fifo
: >empty
truncate -s 100G huge
head -c 1000000 /dev/urandom >random

# -- What opening tells: no KVM is needed for that.
bad 'kernel: missing' 66 '^hvrun: kernel nowhere/vmlinuz: .*No such file' -k nowhere/vmlinuz
bad 'kernel: a directory' 65 'kernel dir: .*a directory' -k dir
bad 'kernel: a FIFO' 65 'kernel fifo: .*a FIFO' -k fifo
bad 'kernel: a character device' 65 'kernel /dev/zero: .*a character device' -k /dev/zero
bad 'kernel: under a file' 66 'kernel empty/x: .*Not a directory' -k empty/x
bad 'initrd: missing' 66 'initrd none.cpio: .*No such file' -k "$good" -i none.cpio
bad 'initrd: a directory' 65 'initrd dir: .*a directory' -k "$good" -i dir
bad 'initrd: a FIFO' 65 'initrd fifo: .*a FIFO' -k "$good" -i fifo
bad 'disk: missing' 66 'disk none.img: .*No such file' -k "$good" -d none.img
bad 'disk: a directory' 65 'disk dir: .*directory' -k "$good" -d dir
bad 'log: in a missing folder' 66 'log nowhere/log: .*No such file' -k "$good" --log nowhere/log
head -c 65536 /dev/zero | tr '\0' d >log-disk.img
bad 'log: also a disk' 64 'log log-disk.img: this is also .* a disk' -k "$good" -d log-disk.img \
	--log log-disk.img
if [ "$(tr -d d <log-disk.img | wc -c) $(wc -c <log-disk.img)" = "0 65536" ]; then
	ok 'log: also a disk: not emptied'
else
	not_ok 'log: also a disk: not emptied' 'its bytes are gone'
fi
bad 'log: a directory' 65 'log dir: .*directory' -k "$good" --log dir
bad 'a name that steers terminals' 66 'kernel .x1b\[31m: ' -k $'\e[31m'

# -- The same as somebody who may not read. Root may read all, so it becomes nobody.
chmod 711 .
cp "$HVRUN" hvrun-copy
cp "$good" good.elf
cp random secret
chmod 444 good.elf
chmod 0 secret
if [ "$(id -u)" != 0 ]; then
	as=()
elif command -v setpriv >/dev/null; then
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups --)
else
	as=(false)
fi
counters=
if [ "${HVRUN_SANITIZER:-}" = cov ]; then counters=$PWD/counters && mkdir -m 1777 counters; fi
bad_as() {
	local name=$1 want=$2 regex=$3
	shift 3
	# The build that counts for make coverage has its counters where another user may not write.
	run_command 200 env ${counters:+GCOV_PREFIX="$counters"} "${as[@]}" ./hvrun-copy "$@"
	check "$name" "$want" "$regex" '' && one_line "$name: one line"
}
if "${as[@]}" test -x ./hvrun-copy 2>/dev/null; then
	bad_as 'kernel: may not be read' 66 'kernel secret: .*Permission denied' -k secret
	bad_as 'initrd: may not be read' 66 'initrd secret: .*Permission denied' -k good.elf -i secret
	bad_as 'disk: may not be read' 66 'disk secret: .*Permission denied' -k good.elf -d secret
	bad_as 'disk: may not be written' 66 'disk good.elf: .*Permission denied' -k good.elf -d good.elf
	if "${as[@]}" test -w /dev/kvm; then
		skip '/dev/kvm: may not be opened' 'every user may open it here'
	elif [ -e /dev/kvm ]; then
		bad_as '/dev/kvm: may not be opened' 69 '/dev/kvm: permission denied.*group kvm' -k good.elf
	else
		skip '/dev/kvm: may not be opened' 'there is no /dev/kvm here'
	fi
else
	skip 'files that may not be read' 'no way to become another user here (setpriv)'
fi

# -- Without /dev/kvm: in a mount namespace where it is gone, or is something else.
space=(unshare -m)
[ "$(id -u)" = 0 ] || space=(unshare -rm)
if "${space[@]}" mount -t tmpfs none /dev 2>/dev/null; then
	run_command 200 "${space[@]}" sh -c 'mount -t tmpfs none /dev && exec "$0" "$@"' "$HVRUN" -k "$good"
	check 'no /dev/kvm' 69 '/dev/kvm: not there.*hvrun doctor' '' && one_line 'no /dev/kvm: one line'
	run_command 200 "${space[@]}" sh -c 'mount -t tmpfs none /dev && exec "$0" doctor' "$HVRUN"
	check 'no /dev/kvm: doctor' 69 '' '^stock-guests: no: '
else
	skip 'no /dev/kvm' 'mount namespaces may not be made here'
fi
if [ -e /dev/kvm ] && "${space[@]}" mount --bind /dev/null /dev/kvm 2>/dev/null; then
	run_command 200 "${space[@]}" sh -c 'mount --bind /dev/null /dev/kvm && exec "$0" "$@"' "$HVRUN" -k "$good"
	check '/dev/kvm is something else' 69 '/dev/kvm: does not answer as KVM' '' &&
		one_line '/dev/kvm is something else: one line'
else
	skip '/dev/kvm is something else' 'mount namespaces may not be made, or there is no /dev/kvm'
fi

# -- What is judged after the door is locked, on a machine that KVM made.
need_kvm

bad 'kernel: empty' 65 'kernel empty: .*empty' -k empty
bad 'kernel: huge' 65 'kernel huge: ' -k huge
bad 'kernel: random' 65 'kernel random: ' -k random
printf 'x' >one
bad 'kernel: one byte' 65 'kernel one: ' -k one

# Random behind the marks by which a kernel is known.
{ printf '\177ELF\2\1\1'; head -c 100000 /dev/urandom; } >elf-random
bad 'kernel: random behind an ELF mark' 65 'kernel elf-random: ' -k elf-random
{ head -c 510 /dev/zero; printf '\125\252\353\146HdrS\17\2'; head -c 100000 /dev/urandom; } >bz-random
bad 'kernel: random behind a bzImage mark' 65 'kernel bz-random: ' -k bz-random
{ head -c 497 /dev/zero; printf '\4'; head -c 12 /dev/zero; printf '\125\252\353\146HdrS\17\2'; head -c 90 /dev/zero; } >bz-short
bad 'kernel: a bzImage that ends in its header' 65 'kernel bz-short: ' -k bz-short

# An ELF file cut anywhere is refused or runs as if whole (its end holds symbols); never worse.
size=$(stat -c %s "$good")
wrong=
hv -k "$good"
cp "$out" whole
for cut in 1 4 16 20 52 63 64 65 100 120 121 176 $((size / 8)) $((size / 4)); do
	head -c "$cut" "$good" >part
	hv -t 200 -k part
	case $status in
	65) [ "$(wc -l <"$err")" = 1 ] || wrong="$wrong $cut:lines" ;;
	0) cmp -s "$out" whole || wrong="$wrong $cut:output" ;;
	*) wrong="$wrong $cut:$status" ;;
	esac
done
if [ -z "$wrong" ]; then ok 'kernel: cut at 14 places'; else not_ok 'kernel: cut at 14 places' "$wrong"; fi

bad 'initrd: larger than memory' 65 'initrd.*more memory' -k "$good" -i huge
bad 'disk: odd size' 65 'disk one: .*512' -k "$good" -d one
bad 'disk: odd size, read-only' 65 'disk one: .*512' -k "$good" -d one,ro
bad 'disk: empty' 65 'disk empty: ' -k "$good" -d empty
bad 'disk: a FIFO' 65 'disk fifo: ' -k "$good" -d fifo
bad 'disk: a FIFO, read-only' 65 'disk fifo: ' -k "$good" -d fifo,ro
bad 'disk: a character device' 65 'disk /dev/zero: ' -k "$good" -d /dev/zero

hv -k "$good" -d huge
check 'disk: 100 GiB of nothing are fine' 0 '^hvrun: guest powered off$' '^hello: '

# A second user of a disk.
truncate -s 1M disk disk2
"$HVRUN" -k "$GUESTS/spin.elf" -a sleep -d disk -d disk2,ro >first.out 2>first.err </dev/null &
first=$!
until grep -q 'spin:' first.out || ! kill -0 $first 2>/dev/null; do sleep 0.1; done
if grep -q 'spin:' first.out; then
	bad 'disk: in use' 71 'disk disk: .*(in use|locked|another)' -k "$good" -d disk
	bad 'disk: in use, read-only' 71 'disk disk: .*(in use|locked|another)' -k "$good" -d disk,ro
	bad 'disk: read by another' 71 'disk disk2: .*(in use|locked|another)' -k "$good" -d disk2
	bad 'disk: twice in one machine' 71 'disk huge: ' -k "$good" -d huge -d huge
	hv -k "$good" -d disk2,ro
	check 'disk: two readers are fine' 0
else
	not_ok 'disk: in use' "the first machine did not start: $(cat first.err)"
fi
kill -TERM $first
wait $first
rc=$?
if [ $rc = 143 ]; then ok 'SIGTERM ends a machine with 143'; else not_ok 'SIGTERM ends a machine with 143' "status $rc"; fi
hv -k "$good" -d disk
check 'disk: free again after its user' 0

# No memory.
if [ -n "${HVRUN_SANITIZER:-}" ]; then
	skip 'no memory' 'sanitizers need their own address space'
else
	run_command 200 bash -c 'ulimit -v 300000; exec "$0" "$@"' "$HVRUN" -k "$good" -m 1G
	check 'no memory' 71 '1024 MiB' '' && one_line 'no memory: one line'
fi

# Few descriptors: wherever they run out, the one line says what could not be had.
first='' wrong=
for n in $([ -n "${HVRUN_SANITIZER:-}" ] || seq 5 64); do
	run_command 200 bash -c 'ulimit -n "$0"; exec "$@"' "$n" "$HVRUN" -k "$good" -d disk --console virtio
	[ "$status" != 0 ] || { first=$n; break; }
	[ "$status" = 71 ] && [ "$(wc -l <"$err")" = 1 ] && grep -q '^hvrun: .*Too many open files' "$err" ||
		wrong="$wrong $n:$status:$(head -n 1 "$err")"
done
if [ -n "${HVRUN_SANITIZER:-}" ]; then
	skip 'few descriptors' 'sanitizers and counters need some of their own, and have words of theirs'
elif [ -n "$first" ] && [ -z "$wrong" ]; then
	ok "few descriptors: one line each, and $first are enough"
else
	not_ok 'few descriptors: one line each' "enough: ${first:-never};$wrong"
fi
