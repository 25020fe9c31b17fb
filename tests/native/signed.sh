#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Signed boot and verified disks, to the guest's end: what is signed runs, anything else ends with status
# 77 and one line, and nothing of it was parsed.
. "$(dirname "$0")/common"
need_guests
command -v minisign >/dev/null || skip_all 'there is no minisign here'

cd "$TMP" || exit 1
boot() { # boot [options...]: as run, without a guest
	status=0
	timeout -k 5 "$LIMIT" "$HVRUN" run -m 64M "$@" </dev/null >out 2>err || status=$?
	tr -d '\r' <out >out.lines
}
booted() { # booted NAME WORDS: hello.elf ran, and its command line ends so
	if [ "$status" = 0 ] && grep -q "^hello: command line: console=ttyS0 .*panic=-1 $2\$" out.lines; then
		ok "$1"
	else
		not_ok "$1" "should run with the words $2: $(last_words)"
	fi
}
refused() { # refused NAME STATUS WORDS: one line that holds WORDS, and no console
	if [ "$status" = "$2" ] && [ "$(wc -l <err)" = 1 ] && grep -qF -- "$3" err && [ ! -s out ]; then
		ok "$1"
	else
		not_ok "$1" "should be refused with $2 and \"$3\": $(last_words)"
	fi
}
minisign -G -W -f -p key.pub -s key.sec >/dev/null 2>&1
minisign -G -W -f -p other.pub -s other.sec >/dev/null 2>&1
cp "$GUESTS/hello.elf" good.elf
cp "$GUESTS/status.elf" evil.elf # ends with the status that it is told: 42 below
cp good.elf kernel

# -- Images with signatures of their own.
minisign -S -q -s key.sec -m kernel >/dev/null 2>&1
boot --verify-key key.pub -k kernel -a one
booted native-signed-kernel 'one'
boot --verify-key other.pub -k kernel
refused native-signed-other-key 77 'not by the key'
{ cat good.elf; head -c 3M /dev/zero; } >kernel # of several pieces: a thread reads while another hashes
minisign -S -q -s key.sec -m kernel >/dev/null 2>&1
boot --verify-key key.pub -k kernel -a large
booted native-signed-large 'large'
cp evil.elf kernel
boot --verify-key key.pub -k kernel
refused native-signed-other-kernel 77 'kernel kernel: kernel.minisig does not sign this file'

# A broken kernel (threat 33): with a right signature the loader judges it, with a wrong one nobody does.
n=0 wrong=
for broken in empty-elf cut-elf bz-random zstd-cut nothing; do
	case $broken in
	empty-elf) { printf '\177ELF\2\1\1'; head -c 5000 /dev/zero; } >kernel ;;
	cut-elf) head -c 100 good.elf >kernel ;;
	bz-random) { head -c 510 /dev/zero; printf '\125\252\353\146HdrS\17\2'; head -c 100000 /dev/urandom; } >kernel ;;
	zstd-cut) printf '\x28\xb5\x2f\xfd\x04\x58' >kernel ;;
	nothing) printf 'x' >kernel ;;
	esac
	minisign -S -q -s key.sec -m kernel >/dev/null 2>&1
	boot --verify-key key.pub -k kernel
	[ "$status" = 65 ] && [ "$(wc -l <err)" = 1 ] || wrong="$wrong $broken:$status"
	minisign -S -q -s other.sec -m kernel >/dev/null 2>&1
	boot --verify-key key.pub -k kernel
	[ "$status" = 77 ] && [ "$(wc -l <err)" = 1 ] && grep -q 'not by the key' err || wrong="$wrong $broken-unsigned:$status"
	n=$((n + 1))
done
if [ -z "$wrong" ] && [ $n = 5 ]; then
	ok test_threat_33_broken_kernels_behind_the_signature
else
	not_ok test_threat_33_broken_kernels_behind_the_signature "$wrong"
fi
rm kernel kernel.minisig

# -- A manifest.
mkdir boot
cp good.elf boot/kernel
head -c 100000 /dev/urandom >boot/initrd
truncate -s 64K boot/scratch
"$HVRUN" sign -k boot/kernel -i boot/initrd -a 'words of the manifest' --untrusted-disk boot/scratch \
	--manifest boot/list -s key.sec >out 2>err || not_ok native-signed-sign "$(cat err)"
list() { boot --verify-key key.pub --manifest boot/list "$@"; }
list
booted native-signed-manifest 'words of the manifest'
list -v
if awk '/door locked/ { door = NR } /images verified/ { seen = NR } /kernel read/ { read = NR }
	/machine built/ { built = NR }
	END { exit !(door && seen == door + 1 && read == seen + 1 && built == read + 1) }' err; then
	ok native-signed-stair
else
	not_ok native-signed-stair "$(tr '\n' '|' <err)"
fi
list -k good.elf -a 'words of the manifest'
booted native-signed-manifest-elsewhere 'words of the manifest'
list -a 'words of the manifesu'
refused native-signed-command-line 77 'command line: it would be'
list --virtio cmdline
refused native-signed-virtio-cmdline 77 'adds to the command line'
list -k evil.elf
refused native-signed-manifest-other-kernel 77 'kernel evil.elf: it has'
list -d boot/scratch -d boot/initrd,ro
refused native-signed-extra-disk 77 'the manifest has no such disk'
list -i boot/kernel
refused native-signed-manifest-other-initrd 77 'initrd boot/kernel: it has'

# A link that changes places all the while: what runs is what was verified, or nothing.
ln -s good.elf link
ln -s good.elf boot/link
"$HVRUN" sign -k link --manifest swap -s key.sec
while :; do
	ln -sfn evil.elf link.new && mv -T link.new link
	ln -sfn good.elf link.new && mv -T link.new link
done &
swapper=$!
good=0 refusals=0 wrong=
rounds=25
[ -z "${HVRUN_TEST_LONG:-}" ] || rounds=500
for i in $(seq $rounds); do
	boot --verify-key key.pub --manifest swap
	case $status in
	0) if grep -q '^hello:' out; then good=$((good + 1)); else wrong="$wrong $i:other"; fi ;;
	77) [ -s out ] && wrong="$wrong $i:output"; refusals=$((refusals + 1)) ;;
	*) wrong="$wrong $i:$status" ;;
	esac
done
kill $swapper
wait $swapper 2>/dev/null
if [ -z "$wrong" ]; then
	ok "native-threat-24-link-swapped"
	echo "# $good ran, $refusals were refused"
else
	not_ok native-threat-24-link-swapped "$wrong ($good ran, $refusals were refused)"
fi
# The file itself, written over in place all the while.
cp good.elf flapping
"$HVRUN" sign -k flapping --manifest flap -s key.sec
printf 'X' >x
dd if=good.elf of=o bs=1 skip=20000 count=1 status=none
while :; do
	dd if=x of=flapping bs=1 seek=20000 conv=notrunc status=none
	dd if=o of=flapping bs=1 seek=20000 conv=notrunc status=none
done &
swapper=$!
wrong=
for i in $(seq $((rounds / 2))); do
	boot --verify-key key.pub --manifest flap
	[ "$status" = 0 ] || [ "$status" = 77 ] || wrong="$wrong $i:$status"
done
kill $swapper
wait $swapper 2>/dev/null
if [ -z "$wrong" ]; then ok native-signed-file-changing; else not_ok native-signed-file-changing "$wrong"; fi

# -- Disks, read through a tree.
command -v veritysetup >/dev/null || { skip native-verity 'there is no veritysetup here'; exit 0; }
cp "$GUESTS/copy-disk.elf" reader.elf
head -c 1M /dev/urandom >disk
# copied NAME: the guest read the disk to its end without an error, and what it read is the disk.
copied() {
	expect "$1" 0 'copy-disk: 2048 sectors, 0 errors'
	if cmp -s whole copy; then ok "$1-bytes"; else not_ok "$1-bytes" "$(cmp whole copy)"; fi
}
blank() { rm -f copy && truncate -s 1M copy; }
cp disk whole
blank
boot -k reader.elf -d disk,ro -d copy
copied native-verity-plain
tree() { veritysetup format disk tree "$@" 2>&1 | sed -n 's/^Root hash:[[:space:]]*//p'; }
verified() {
	blank
	boot -k reader.elf -d "disk,ro,verity=tree,root-hash=$root" -d copy "$@"
}
n=0
while read -r name words; do
	rm -f tree
	# shellcheck disable=SC2086 # words
	root=$(tree $words)
	if [ -z "$root" ]; then
		skip "native-verity-$name" "veritysetup here does not make such a tree: $words"
		continue
	fi
	verified
	copied "native-verity-$name"
	n=$((n + 1))
done <<'TREES'
usual
sha512 --hash=sha512
blake2b --hash=blake2b-512
no-salt --salt=-
short-salt --salt=c0ffee
long-salt --salt=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
small-blocks --data-block-size=512 --hash-block-size=512
small-data --data-block-size=512
small-tree --hash-block-size=512
odd-sizes --data-block-size=1024 --hash-block-size=2048 --hash=sha512
TREES
[ "$n" -ge 8 ] || not_ok native-verity-trees "only $n trees were made"

poke() { printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
flip_byte() { poke "$1" "$2" "\\x$(printf %02x $((0x$(od -An -tx1 -j "$2" -N 1 "$1" | tr -d ' ') ^ 16)))"; }
# One block, whose hash is the root: the file has a superblock and not even one block.
head -c 64K /dev/urandom >one
rm -f tree
root=$(veritysetup format one tree --data-block-size=65536 --hash-block-size=65536 2>/dev/null | sed -n 's/^Root hash:[[:space:]]*//p')
if [ -n "$root" ]; then
	truncate -s 64K copy
	boot -k reader.elf -d "one,ro,verity=tree,root-hash=$root" -d copy
	expect native-verity-one-block 0 'copy-disk: 128 sectors, 0 errors'
	flip_byte one 60000
	boot -k reader.elf -d "one,ro,verity=tree,root-hash=$root" -d copy
	refused native-verity-one-bad-block 77 'the root hash is not that of the verity tree'
else
	skip native-verity-one-block 'veritysetup here does not make such a tree'
fi

# The device itself behaves as any read-only disk.
root=$(tree)
for word in '' direct; do
	boot -k "$GUESTS/virtio-blk.elf" -d "disk,ro,verity=tree,root-hash=$root${word:+,$word}" -a ro
	if [ -n "$word" ] && grep -q 'leave out' err; then skip "native-verity-device-$word" "$(cat err)"; continue; fi
	expect "native-verity-device${word:+-$word}" 0 'virtio-blk: id disk, 2048 sectors, read-only, indirect, event index'
done
verified --io-uring
copied native-verity-io-uring

# A bad block is an error and a line, never data; lines do not pile up.
cp tree right
flip_byte disk 500000
verified
expect native-verity-bad-block 3
says native-verity-bad-block-words 'warning: disk disk: reading'
says native-verity-bad-block-why 'the data was changed: it does not have its verity hash; the guest sees an I/O error'
if grep -qx 'copy-disk: 2048 sectors, 1 errors' out.lines; then ok native-verity-bad-block-alone; else not_ok native-verity-bad-block-alone "$(last_words)"; fi
# What was read besides is right, and of the bad block nothing was.
if cmp -l whole copy | awk '$3 != 0 { exit 1 }'; then ok native-verity-no-bad-byte; else not_ok native-verity-no-bad-byte 'bytes differ that are not zero'; fi
verified -a only=976 # of the bad block, and its bytes are right
expect native-verity-bad-neighbour 3
verified -a only=984
expect native-verity-good-neighbour 0
cp whole disk
for at in $(seq 100 8192 1048575); do flip_byte disk "$at"; done
began=$SECONDS
verified
expect native-verity-bad-everywhere 3
# One more is allowed every ten seconds.
if [ "$(wc -l <err)" -le $((3 + (SECONDS - began) / 10)) ]; then ok native-verity-few-lines; else not_ok native-verity-few-lines "$(wc -l <err) lines"; fi
cp whole disk
flip_byte tree 9000 # the lowest level
verified
expect native-verity-bad-tree 3
says native-verity-bad-tree-why 'the verity tree was changed there'
cp right tree
flip_byte tree 4200 # the top
verified
refused native-verity-bad-top 77 'the root hash is not that of the verity tree tree'
cp right tree
root=${root/[0-7]/8}
verified
refused native-verity-bad-root 77 'the root hash is not that of the verity tree tree'
root=$(tree)
poke tree 12 '\x00'
verified
refused native-verity-bad-superblock 65 'hash type 0'
cp disk tree
verified
refused native-verity-no-superblock 65 'does not begin with a superblock'
cp right tree
truncate -s 8192 tree
verified
refused native-verity-short-tree 65 'is cut short'
cp right tree
truncate -s 512K disk
root=$(veritysetup format whole tree2 | sed -n 's/^Root hash:[[:space:]]*//p')
boot -k reader.elf -d "disk,ro,verity=tree2,root-hash=$root" -d copy
refused native-verity-short-disk 65 'its verity tree is for 1048576 bytes, and the file has 524288'
cp whole disk

# All of it: a manifest with a verified disk; then one bit of each file.
root=$(tree)
"$HVRUN" sign -k reader.elf -d "disk,ro,verity=tree,root-hash=$root" --untrusted-disk copy --manifest all -s key.sec
blank
boot --verify-key key.pub --manifest all
copied native-signed-verity
boot --verify-key key.pub --manifest all -d disk,ro -d copy
refused native-signed-verity-without-tree 77 'the manifest wants it verified'
minisign -S -q -s key.sec -m reader.elf >/dev/null 2>&1
boot --verify-key key.pub -k reader.elf -d "disk,ro,verity=tree,root-hash=$root"
expect native-signed-verity-detached 1 'FAIL: there is no disk 1'
boot --verify-key key.pub -k reader.elf -d disk,ro
refused native-signed-unverified-disk 77 'disk disk: not verified'
wrong=
for file in reader.elf tree all all.minisig; do
	size=$(stat -c %s $file)
	[ $file != tree ] || size=500 # the superblock; deeper, errors come when it is read
	for i in 1 2 3 4 5; do
		at=$((size * i / 6))
		# The untrusted comment is not signed.
		[ $file != all.minisig ] || at=$((60 + (size - 62) * i / 6))
		flip_byte $file "$at"
		boot --verify-key key.pub --manifest all
		[ "$status" = 77 ] && [ "$(wc -l <err)" = 1 ] && [ ! -s out ] || wrong="$wrong $file:$at:$status"
		flip_byte $file "$at"
	done
done
boot --verify-key key.pub --manifest all
[ "$status" = 0 ] || wrong="$wrong restored:$status"
if [ -z "$wrong" ]; then ok native-signed-one-bit; else not_ok native-signed-one-bit "$wrong"; fi

# A machine that starts again is verified again.
cp "$GUESTS/reset.elf" again.elf
"$HVRUN" sign -k again.elf --manifest again -s key.sec
timeout 250 "$HVRUN" run -m 64M --verify-key key.pub --manifest again --reboot --timeout 200 </dev/null >out 2>err &
running=$!
until grep -q 'it starts again' err 2>/dev/null || ! kill -0 $running 2>/dev/null; do sleep 0.05; done
flip_byte again.elf 600
status=0
wait $running || status=$?
if [ "$status" = 77 ] && grep -q 'kernel again.elf: it is not the file of the manifest' err; then
	ok native-signed-reboot
else
	not_ok native-signed-reboot "status $status: $(tail -n 2 err | tr '\n' '|')"
fi
boot --verify-key key.pub --manifest all --vhost-user "blk,socket=$TMP/none"
refused native-signed-vhost-user-disk 77 'a disk that nothing verifies'
