#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Wrong command lines: status 64 and one line that says what would be right. Nothing is opened.
. "$TEST_TOP/tests/lib/sh.sh"

# wrong NAME REGEX WORD...
wrong() {
	local name=$1 regex=$2
	shift 2
	hv -t 200 "$@"
	check "$name" 64 "$regex" '' && one_line "$name: one line"
}

wrong 'nothing' 'hvrun -k KERNEL.*--help'
wrong 'run and nothing' 'no kernel to boot' run
wrong 'a file alone' 'unknown command "vmlinuz".*hvrun -k FILE' vmlinuz
wrong 'an empty word' 'unknown command ""' ''
wrong 'a file after run' '"vmlinuz" stands alone' run vmlinuz
wrong 'a file after options' '"vmlinuz" stands alone' -m 1G vmlinuz
wrong 'a lone --' '"--" stands alone' -k x --
wrong 'no value' '--kernel needs a value: --kernel FILE' -k
wrong 'two kernels' '--kernel is given twice' -k a -k b
wrong 'a misspelt option' 'did you mean --kernel\?' --kernle x
wrong 'a shortened option' 'unknown option --mem;' -k x --mem 1G
wrong 'an unknown letter' 'unknown option -z' -k x -z
wrong 'memory: no number' '--memory: lots is not a size' -k x -m lots
wrong 'memory: too little' 'less than 2M' -k x -m 1M
wrong 'memory: too much' 'more than 1024G' -k x -m 2000G
wrong 'memory: over 64 bits' 'more than 1024G' -k x -m 18446744073709551615G
wrong 'memory: odd' 'not a multiple of 4096' -k x -m 3000001
wrong 'cpus: none' 'from 1 to 64' -k x -c 0
wrong 'cpus: too many' 'from 1 to 64' -k x -c 65
wrong 'disk: no name' 'file name is empty' -k x -d ,ro
wrong 'disk: vmdk' 'unknown format vmdk; it can be raw' -k x -d y,format=vmdk
wrong 'disk: a word too many' 'unknown word "sheep"' -k x -d y,sheep
wrong 'disk: cow of qcow2' 'cow is for disks of format raw' -k x -d y,cow,format=qcow2
wrong 'disk: verity without ro' 'verity needs ro' -k x -d y,verity=z
wrong 'disk: verity without a root' 'verity needs root-hash=HEX, or a --manifest' -k x -d y,ro,verity=z
wrong 'disk: a root without a tree' 'root-hash needs verity' -k x -d "y,ro,root-hash=$(printf %064d 0)"
wrong 'disk: verity twice' 'verity is given twice' -k x -d y,ro,verity=z,verity=z
wrong 'disk: no tree' 'verity= wants the file' -k x -d y,ro,verity=
for hash in 0 "$(printf %063d 0)" "$(printf %063dg 0)" "$(printf %066d 0)" ''; do
	wrong "disk: root hash \"$hash\"" '64 or 128 hexadecimal digits' -k x -d "y,ro,verity=z,root-hash=$hash"
done
wrong 'disk: two roots' 'root-hash is given twice' -k x \
	-d "y,ro,verity=z,root-hash=$(printf %064d 0),root-hash=$(printf %064d 0)"
wrong 'sign: no kernel' 'sign: no kernel' sign
wrong 'sign: nothing to make' 'sign: nothing to make' sign -k x
wrong 'sign: a disk without a manifest' 'signed by a --manifest only' sign -k x -s y --untrusted-disk d
wrong 'sign: a command line without a manifest' 'signed by a --manifest only' sign -k x -s y -a z
wrong 'sign: a disk that nothing verifies' 'one that is not is an --untrusted-disk' sign -k x --manifest m -d y,ro
wrong 'sign: an untrusted disk with a tree' 'with verity it is a --disk' sign -k x --manifest m \
	--untrusted-disk "y,ro,verity=z,root-hash=$(printf %064d 0)"
wrong 'sign: a comment of two lines' 'one line is needed' sign -k x -s y --trusted-comment $'a\nb'
wrong 'sign: unknown option' 'unknown option --memory; hvrun sign --help' sign -k x --memory 1G
wrong 'verify: no key' 'verify: by which key' verify --manifest m
wrong 'verify: nothing' 'verify: nothing to verify' verify --verify-key k
wrong 'verify: no root' 'verify: a disk with verity needs root-hash' verify --verify-key k -k x -d y,ro,verity=z
wrong 'verify: unknown option' 'unknown option --log; hvrun verify --help' verify --log x
wrong 'manifest without a key' '--manifest needs --verify-key' --manifest m
wrong 'sandbox: maybe' 'unknown value "maybe"; it can be on, log or off' -k x --sandbox maybe
wrong 'console: tty' 'unknown value "tty"' -k x --console tty
wrong 'doctor with words' 'doctor takes --sandbox or nothing' doctor now
wrong 'timeout: none' 'timeout: 0 is not a time' -k x --timeout 0
wrong 'timeout: a word' 'timeout: soon is not a time' -k x --timeout soon
wrong 'timeout: too fine' 'timeout: 1.2345 is not a time' -k x --timeout 1.2345
wrong 'timeout: a point too many' 'timeout: 1. is not a time' -k x --timeout 1.
wrong 'until: no pattern' '"\(" cannot be looked for: ' -k x --until '('
wrong 'until: empty' 'cannot be looked for: a pattern has' -k x --until ''
wrong 'fail-on: back-reference' 'back-references' -k x --fail-on '(a)\1'
wrong 'until: twice' 'given twice' -k x --until a --until b
wrong 'loud and quiet' 'do not go together' -k x -v -q

# Commands and options that are planned, and not built yet, are as unknown as any other.
wrong 'not built: --restore' 'unknown option --restore' -k x --restore=r

# Bytes that steer terminals do not reach one.
hv -k x $'--\e[31m\x07'
if [ "$status" = 64 ] && ! grep -q $'\e\|\x07' "$err"; then
	ok 'control characters are shown as \xNN'
else
	not_ok 'control characters are shown as \xNN' "status $status: $(od -c "$err" | head -n 4 | tr '\n' '|')"
fi
