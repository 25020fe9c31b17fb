#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --pmem natively: a guest reads a file as memory, cannot write it, and is ended with words if the file is cut.
. "$(dirname "$0")/common"
need_guests

# file NAME BYTES: begins with a, ends with z.
file() {
	truncate -s "$2" "$1"
	printf a | dd of="$1" conv=notrunc 2>/dev/null
	printf z | dd of="$1" bs=1 seek=$(($2 - 1)) conv=notrunc 2>/dev/null
}

file "$TMP/root" 4198401
file "$TMP/other" 2097152
before=$(cksum <"$TMP/root")
chmod a-w "$TMP/root"
run pmem -m 64M --pmem "$TMP/root" --pmem "$TMP/other" -a bytes=4198401
expect pmem 0 "pmem: 6291456 bytes, begins with a, ends with z"
run pmem -m 64M --pmem "$TMP/root" --pmem "$TMP/other" -a "bytes=2097152 which=1"
expect pmem-second 0 "pmem: 2097152 bytes, begins with a, ends with z"
run pmem -m 5G --pmem "$TMP/other" -a bytes=2097152
if [ "$status" -eq 71 ]; then skip pmem-above "$(head -n 1 "$TMP/err")"; else expect pmem-above 0 "pmem: all is well"; fi
if [ "$(cksum <"$TMP/root")" = "$before" ]; then ok pmem-unchanged; else not_ok pmem-unchanged "the file changed"; fi

# Cut while the guest reads it: the run ends, and says why.
file "$TMP/cut" 4194304
launch pmem -m 64M --timeout 250 --pmem "$TMP/cut" -a "bytes=4194304 cut"
await grep -q 'all is well' "$TMP/out"
truncate -s 4096 "$TMP/cut"
over
if [ "$status" -eq 9 ]; then
	skip pmem-cut "this host's KVM reads the guest's memory for it, and finds all ones"
elif [ "$status" -eq 71 ]; then
	ok pmem-cut
	says pmem-cut-words 'a file of --pmem was cut'
else
	not_ok pmem-cut "$(last_words)"
fi
: >"$TMP/empty"
run hello --pmem "$TMP/empty"
expect pmem-empty 65
run hello --pmem "$TMP/none"
expect pmem-none 66
run hello --pmem "$TMP"
expect pmem-folder 65
