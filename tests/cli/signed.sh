#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun sign and hvrun verify, with minisign as the other side: it verifies what hvrun signs and signs what
# hvrun verifies, in both forms; and each difference, one by one, is refused. No KVM is needed here.
. "$TEST_TOP/tests/lib/sh.sh"

command -v minisign >/dev/null || skip_all 'there is no minisign here'
cd "$TMPDIR" || exit 1

# Keys by minisign: plain, another one, and one with a password (typed through a terminal of script(1)).
minisign -G -W -f -p key.pub -s key.sec >/dev/null 2>&1
minisign -G -W -f -p other.pub -s other.sec >/dev/null 2>&1
head -c 300000 /dev/urandom >vmlinuz
head -c 100000 /dev/urandom >initrd.img
# minisign leaves zeros at the front of a key's number out, hvrun shows all 16 digits.
id=$(sed -n '1s/.* //p' key.pub)
id=$(printf %16s "$id" | tr ' ' 0)

# refused NAME STATUS REGEX WORD...: one line, nothing on standard output.
refused() {
	local name=$1 want=$2 regex=$3
	shift 3
	hv -t 200 "$@"
	check "$name" "$want" "$regex" '' && one_line "$name: one line"
}
verify() { hv -t 200 verify --verify-key key.pub "$@"; }
# by_minisign NAME FILE: minisign finds the signature right.
by_minisign() {
	if minisign -V -q -p key.pub -m "$2" >/dev/null 2>"$TMPDIR/minisign.err"; then
		ok "$1"
	else
		not_ok "$1" "minisign: $(tr '\n' '|' <"$TMPDIR/minisign.err")"
	fi
}

# -- Images with signatures of their own, both ways, both forms.
for form in '' -l; do
	minisign -S -q $form -s key.sec -t "words$form" -m vmlinuz initrd.img >/dev/null 2>&1
	verify -k vmlinuz -i initrd.img -a 'a word'
	check "minisign -S $form: hvrun verifies" 0 '' "^signed by key $id: words$form\$" &&
		check "minisign -S $form: what would boot" 0 '' '^kernel: vmlinuz, 300000 bytes$'
done
for form in '' --legacy; do
	rm -f ./*.minisig
	hv sign -k vmlinuz -i initrd.img -s key.sec $form
	check "hvrun sign $form" 0 '' ''
	by_minisign "hvrun sign $form: minisign verifies the kernel" vmlinuz
	by_minisign "hvrun sign $form: minisign verifies the initrd" initrd.img
	verify -k vmlinuz -i initrd.img
	check "hvrun sign $form: hvrun verifies" 0 '' '^initrd: initrd.img, 100000 bytes$'
done
rm vmlinuz.minisig
hv sign -k vmlinuz -s key.sec --trusted-comment 'for the third floor'
by_minisign 'sign: the trusted comment' vmlinuz
if grep -qx 'trusted comment: for the third floor' vmlinuz.minisig; then ok 'sign: the comment given'; else not_ok 'sign: the comment given' "$(sed -n 3p vmlinuz.minisig)"; fi
# The longest that minisign reads, and no more.
hv sign -k vmlinuz -s key.sec --trusted-comment "$(head -c 8173 /dev/zero | tr '\0' c)"
by_minisign 'sign: the longest trusted comment' vmlinuz
refused 'sign: a comment that minisign does not read' 64 'longer than 8173 bytes' \
	sign -k vmlinuz -s key.sec --trusted-comment "$(head -c 8174 /dev/zero | tr '\0' c)"
hv sign -k vmlinuz -s key.sec --trusted-comment 'for the third floor'
# minisign wants to be told that a file must be prehashed; hvrun's own form is.
if minisign -V -q -H -p key.pub -m vmlinuz >/dev/null 2>&1; then ok 'sign: prehashed'; else not_ok 'sign: prehashed' 'minisign -H refuses it'; fi

# -- A key with a password, made by minisign, which asks on a terminal only. With little memory at hand it
# makes one that takes little to unlock.
printf 'correct horse\n' >password
pty=$TMPDIR/pty
"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -o "$pty" "$TEST_TOP/tests/cli/pty.c" 2>"$TMPDIR/cc" ||
	not_ok 'build of tests/cli/pty.c' "$(head -n 1 "$TMPDIR/cc")"
if (ulimit -v 100000 && exec "$pty" see:assword: quiet 'send:correct horse\x0a' see:assword quiet 'send:correct horse\x0a' exit:0 -- \
	sh -c 'exec minisign -G -f -p locked.pub -s locked.sec 2>&1') >pty.out 2>&1 && [ -s locked.sec ]; then
	hv -t 200 sign -k vmlinuz -s locked.sec --password-file password
	check 'sign: a key with a password' 0 '' ''
	locked() { minisign -V -q -p locked.pub -m vmlinuz >/dev/null 2>&1; }
	if locked; then ok 'sign: minisign verifies that'; else not_ok 'sign: minisign verifies that' 'it does not'; fi
	cp vmlinuz.minisig before
	printf 'wrong\n' >wrong
	refused 'sign: a wrong password' 77 'secret key locked.sec: this is not its password' \
		sign -k vmlinuz -s locked.sec --password-file wrong
	if cmp -s vmlinuz.minisig before; then ok 'sign: a wrong password changes nothing'; else not_ok 'sign: a wrong password changes nothing' 'the signature is another'; fi
	refused 'sign: no password file' 66 'password file none: ' sign -k vmlinuz -s locked.sec --password-file none
	# Typed, with slips taken back; nothing of it is shown.
	rm vmlinuz.minisig
	if said=$("$pty" 'see:password of locked.sec: ' quiet 'send:no\x15correct horsX\x7fe\x0d' exit:0 same -- \
		sh -c '"$@" 2>shown' - "$HVRUN" sign -k vmlinuz -s locked.sec 2>&1) && locked; then
		ok 'sign: a typed password'
	else
		not_ok 'sign: a typed password' "$said"
	fi
	if said=$("$pty" 'see:password of locked.sec: ' quiet 'send:corr\x03' exit:66 same -- \
		sh -c '"$@" 2>shown' - "$HVRUN" sign -k vmlinuz -s locked.sec 2>&1); then
		ok 'sign: Ctrl-C at the password'
	else
		not_ok 'sign: Ctrl-C at the password' "$said"
	fi
	status=0 out=$TMPDIR/stdout err=$TMPDIR/stderr
	setsid "$HVRUN" sign -k vmlinuz -s locked.sec >"$out" 2>"$err" </dev/null || status=$?
	check 'sign: no terminal' 66 'no terminal to ask on; --password-file' '' && one_line 'sign: no terminal: one line'
else
	not_ok 'sign: a key with a password' "minisign made none: $(tr '\n' '|' <pty.out)"
fi
refused 'sign: a public key as the secret one' 65 'no minisign secret key' sign -k vmlinuz -s key.pub
head -c 100 key.sec >cut.sec
refused 'sign: half a key' 65 'no minisign secret key' sign -k vmlinuz -s cut.sec
refused 'sign: no key' 66 'secret key none: ' sign -k vmlinuz -s none
refused 'sign: no kernel there' 66 'kernel none: ' sign -k none -s key.sec
refused 'sign: over its own input' 64 'it would be overwritten' sign -k vmlinuz --manifest vmlinuz
refused 'sign: over the key' 64 'it would be overwritten' sign -k vmlinuz --manifest key.sec -s key.sec
[ "$(stat -c %s vmlinuz)" = 300000 ] && ok 'sign: the input is as it was' || not_ok 'sign: the input is as it was' 'it is not'

# -- Differences, without a manifest.
hv sign -k vmlinuz -i initrd.img -s key.sec
flip() { # flip FILE OFFSET: one bit
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %02x $((byte ^ 1 << $2 % 8)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
# flips NAME FILE STATUSES COMMAND...: a bit at some places of FILE, each refused with one line.
places=8
[ -z "${HVRUN_TEST_LONG:-}" ] || places=200
flips() {
	local name=$1 file=$2 wants=$3 size at i wrong=
	shift 3
	size=$(stat -c %s "$file")
	for i in $(seq 0 $((places - 1))); do
		at=$((i * (size - 1) / (places - 1)))
		flip "$file" "$at"
		"$@"
		[[ " $wants " == *" $status "* ]] && [ "$(wc -l <"$err")" = 1 ] && [ ! -s "$out" ] || wrong="$wrong $at:$status"
		flip "$file" "$at"
	done
	"$@"
	[ "$status" = 0 ] || wrong="$wrong restored:$status"
	if [ -z "$wrong" ]; then ok "$name"; else not_ok "$name" "$wrong; $(head -n 1 "$err")"; fi
}
both() { verify -k vmlinuz -i initrd.img; }
flips 'a bit of the kernel' vmlinuz 77 both
flips 'a bit of the initrd' initrd.img 77 both
# Its first line, an untrusted comment, may say anything but must be one.
cp vmlinuz.minisig whole
lines=$(sed -n 1p whole | wc -c)
tail -c +$((lines + 1)) whole >rest
wrong=
for at in $(seq 0 $((places > 8 ? 1 : 11)) $(($(stat -c %s rest) - 2))); do
	{ head -n 1 whole && cat rest; } >vmlinuz.minisig
	flip vmlinuz.minisig $((lines + at))
	both
	[ "$status" = 77 ] && [ "$(wc -l <"$err")" = 1 ] || wrong="$wrong $at:$status"
done
cp whole vmlinuz.minisig
if [ -z "$wrong" ]; then ok 'a bit of the signature or its comment'; else not_ok 'a bit of the signature or its comment' "$wrong"; fi
refused 'another key' 77 "kernel vmlinuz: vmlinuz.minisig is by key $id, not by the key" verify --verify-key other.pub -k vmlinuz
sed 1d key.pub >bare.pub
refused 'a key without its first line' 65 'no minisign public key' verify --verify-key bare.pub -k vmlinuz
refused 'no such key' 66 'public key none.pub: ' verify --verify-key none.pub -k vmlinuz
# The right id on another key: only the arithmetic tells.
{ sed -n 1p key.pub; { sed -n 2p key.pub | base64 -d | head -c 10; sed -n 2p other.pub | base64 -d | tail -c 32; } | base64 -w 0; echo; } >forged.pub
refused 'another key under the same id' 77 'does not sign this file' verify --verify-key forged.pub -k vmlinuz
mv initrd.img.minisig away
refused 'no signature beside the initrd' 77 'initrd initrd.img: not signed: initrd.img.minisig: No such file' verify --verify-key key.pub -k vmlinuz -i initrd.img
cp vmlinuz.minisig initrd.img.minisig
refused "another file's signature" 77 'initrd initrd.img: ' verify --verify-key key.pub -k vmlinuz -i initrd.img
mv away initrd.img.minisig
# Ends of lines behind the last one are nothing to minisign, nor here; words are.
{ cat vmlinuz.minisig; printf '\n\r\n'; } >with && mv with vmlinuz.minisig
{ cat key.pub; echo; } >lines.pub
hv -t 200 verify --verify-key lines.pub -k vmlinuz
check 'empty lines behind key and signature' 0 '' '^signed by key'
if minisign -V -q -p lines.pub -m vmlinuz >/dev/null 2>&1; then ok 'minisign takes them too'; else not_ok 'minisign takes them too' 'it does not'; fi
echo more >>vmlinuz.minisig
refused 'words behind the signature' 77 'no minisign signature' verify --verify-key key.pub -k vmlinuz
: >empty
cp empty vmlinuz.minisig
refused 'an empty signature' 77 'no minisign signature' verify --verify-key key.pub -k vmlinuz
head -c 1M /dev/zero >vmlinuz.minisig
refused 'a huge signature' 77 'signature vmlinuz.minisig: ' verify --verify-key key.pub -k vmlinuz
rm vmlinuz.minisig
mkfifo vmlinuz.minisig
refused 'a signature that is a FIFO' 77 'signature vmlinuz.minisig: no regular file' verify --verify-key key.pub -k vmlinuz
rm vmlinuz.minisig
cp whole vmlinuz.minisig
truncate -s 1M disk.img
refused 'a disk that nothing verifies' 77 'disk disk.img: not verified' verify --verify-key key.pub -k vmlinuz -d disk.img
refused 'a read-only disk that nothing verifies' 77 'disk disk.img: not verified' verify --verify-key key.pub -k vmlinuz -d disk.img,ro

# -- A manifest.
mkdir -p boot/sub
cp vmlinuz 'boot/my kernel'
cp initrd.img boot/sub/initrd.img
cp disk.img boot/scratch.img
hv sign -k 'boot/my kernel' -i boot/sub/initrd.img -a 'quiet splash' --untrusted-disk boot/scratch.img --manifest boot/list -s key.sec
check 'sign: a manifest' 0 '' ''
by_minisign 'sign: minisign verifies the manifest' boot/list
cat >wanted <<END
hvrun-manifest 1
kernel file=my%20kernel size=300000 blake2b-256=$(b2sum -l 256 <vmlinuz | cut -c1-64)
initrd file=sub/initrd.img size=100000 blake2b-256=$(b2sum -l 256 <initrd.img | cut -c1-64)
END
if diff <(head -n 3 boot/list) wanted >diff; then ok "sign: the manifest's files"; else not_ok "sign: the manifest's files" "$(tr '\n' '|' <diff)"; fi
list() { verify --manifest boot/list "$@"; }
list
check 'manifest: verified' 0 '' '^command line: .*quiet splash$'
check 'manifest: its disk' 0 '' '^disk vda: scratch.img, untrusted, may be written$'
list -k vmlinuz -i initrd.img -a 'quiet splash' -d disk.img
check 'manifest: the same files elsewhere' 0 '' '^kernel: vmlinuz, 300000 bytes$'
minisign -S -q -l -s key.sec -m boot/list >/dev/null 2>&1
list
check 'manifest: signed by minisign -l' 0 '' '^signed by key'
minisign -S -q -s key.sec -m boot/list >/dev/null 2>&1
list
check 'manifest: signed by minisign' 0 '' '^signed by key'
flips 'manifest: a bit of it' boot/list 77 list
flips 'manifest: a bit of the kernel' 'boot/my kernel' 77 list
flips 'manifest: a bit of the initrd' boot/sub/initrd.img 77 list
listed() {
	local name=$1 want=$2 regex=$3
	shift 3
	refused "manifest: $name" "$want" "$regex" verify --verify-key key.pub --manifest boot/list "$@"
}
listed 'another command line' 77 'command line: it would be ".*quiet", and the manifest.s is' -a quiet
listed 'a command line of one bit more' 77 'command line: ' -a 'quiet splasi'
listed 'no words of our own' 77 'command line: ' --append-only
listed 'another kernel' 77 'kernel initrd.img: it has 100000 bytes, and the manifest.s has 300000' -k initrd.img
listed 'another initrd' 77 'initrd vmlinuz: ' -i vmlinuz
listed 'an extra disk' 77 'disk vmlinuz: the manifest has no such disk: it has 1' -d disk.img -d vmlinuz
printf x >>boot/sub/initrd.img
listed 'a byte more' 77 'initrd sub/initrd.img: it has 100001 bytes'
truncate -s 100000 boot/sub/initrd.img
refused 'manifest: another key' 77 'not by the key' verify --verify-key other.pub --manifest boot/list
mv boot/list.minisig away
listed 'no signature' 77 'manifest boot/list: not signed'
cp vmlinuz.minisig boot/list.minisig
listed "another file's signature" 77 'does not sign this file'
mv away boot/list.minisig
mv boot/sub/initrd.img boot/away
listed 'a missing file' 66 'initrd sub/initrd.img, named by the manifest: .*No such file'
ln -s ../../initrd.img boot/sub/initrd.img
listed 'a link out of its folder' 77 'initrd sub/initrd.img: it leads out of the manifest.s folder'
ln -sf ../away boot/sub/initrd.img
list
check 'manifest: a link inside its folder' 0 '' '^initrd: '
rm boot/sub/initrd.img
mv boot/away boot/sub/initrd.img

# -- Manifests that are signed and say nonsense: 65, and behind the door.
sed 's/^hvrun-manifest 1$/hvrun-manifest 2/' boot/list >boot/two
sed 's/^cmdline/dtb file=x\ncmdline/' boot/list >boot/dtb
sed 's/my%20kernel/..%2Fx/' boot/list >boot/up
sed 's/my%20kernel/\/etc\/passwd/' boot/list >boot/root
sed 's/size=/size=0/' boot/list >boot/zeros
sed '/^cmdline/d' boot/list >boot/part
{ cat boot/list; printf '\0\n'; } >boot/nul
for f in two dtb up root zeros part nul; do
	minisign -S -q -s key.sec -m boot/$f >/dev/null 2>&1
	refused "manifest: signed nonsense: $f" 65 "manifest boot/$f: line [0-9]+: " verify --verify-key key.pub --manifest boot/$f
done
hv sign -k vmlinuz -i initrd.img --manifest unsigned
check 'sign: the signing is left to minisign' 0 '' ''
refused 'manifest: not signed yet' 77 'not signed' verify --verify-key key.pub --manifest unsigned
minisign -S -q -s key.sec -m unsigned >/dev/null 2>&1
verify --manifest unsigned
check 'manifest: then it is' 0 '' '^signed by key'

# -- Disks with a tree of hashes.
command -v veritysetup >/dev/null || { skip 'manifest: verity' 'there is no veritysetup here'; exit 0; }
head -c 1M /dev/urandom >boot/root.img
tree() { veritysetup format "$@" | sed -n 's/^Root hash:[[:space:]]*//p'; }
root=$(tree boot/root.img boot/root.tree)
hv sign -k vmlinuz -d "boot/root.img,ro,verity=boot/root.tree,root-hash=$root" --untrusted-disk boot/scratch.img,ro --manifest boot/list -s key.sec
check 'sign: a verified disk' 0 '' ''
list -k vmlinuz
check 'verity: verified' 0 '' "^disk vda: root.img, read-only, verity root hash $root\$" &&
	check 'verity: the other' 0 '' '^disk vdb: scratch.img, untrusted, read-only$'
cp boot/root.tree tree
verity() { list -k vmlinuz; }
dd if=/dev/zero of=boot/root.tree bs=1 seek=73 count=1 conv=notrunc status=none # data blocks
listed 'a superblock of another size' 77 'verity tree root.tree: its superblock is not the manifest.s' -k vmlinuz
cp tree boot/root.tree
dd if=/dev/zero of=boot/root.tree bs=1 seek=4100 count=8 conv=notrunc status=none # the top block
listed 'another top of the tree' 77 'disk root.img: the root hash is not that of the verity tree root.tree' -k vmlinuz
cp tree boot/root.tree
truncate -s 8192 boot/root.tree
listed 'a tree cut short' 65 'the verity tree root.tree is cut short' -k vmlinuz
cp tree boot/root.tree
listed 'another root hash' 77 'root-hash= is not the manifest.s' -k vmlinuz \
	-d "boot/root.img,ro,verity=boot/root.tree,root-hash=$(printf %064d 7)" -d boot/scratch.img,ro
listed 'its disk without its tree' 77 'the manifest wants it verified' -k vmlinuz -d boot/root.img,ro -d boot/scratch.img,ro
listed 'a disk that may be written' 77 'the manifest has it read-only' -k vmlinuz \
	-d "boot/root.img,ro,verity=boot/root.tree" -d boot/scratch.img
listed 'one disk of two' 77 'disk scratch.img: the manifest has it, and the command line does not' -k vmlinuz \
	-d "boot/root.img,ro,verity=boot/root.tree"
list -k vmlinuz -d "boot/root.img,ro,verity=boot/root.tree" -d boot/scratch.img,ro
check 'verity: the root hash left to the manifest' 0 '' "root hash $root\$"
refused 'sign: another root hash' 77 'the root hash is not that of the verity tree' sign -k vmlinuz \
	-d "boot/root.img,ro,verity=boot/root.tree,root-hash=$(printf %064d 7)" --manifest out
refused 'sign: no tree' 65 'does not begin with a superblock' sign -k vmlinuz \
	-d "boot/root.img,ro,verity=boot/root.img,root-hash=$root" --manifest out
