#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Cores of bare-metal guests: on panic and crash, never else; read back by readelf and gdb.
. "$(dirname "$0")/common"
need_guests

CORE=$TMP/core

run panic -m 256M -c 2 --core "$CORE"
expect native-core-of-a-panic 134
says native-core-said "core $CORE: written"
size=$(stat -c %s "$CORE") blocks=$(stat -c %b "$CORE")
if [ "$size" -gt $((256 << 20)) ] && [ "$blocks" -lt 4096 ]; then
	ok native-core-is-sparse
else
	not_ok native-core-is-sparse "$size bytes in $blocks blocks"
fi
readelf -W -h -l -n "$CORE" >"$TMP/elf" 2>"$TMP/elf.err"
if [ ! -s "$TMP/elf.err" ] && grep -q 'Type: *CORE' "$TMP/elf" && [ "$(grep -c NT_PRSTATUS "$TMP/elf")" = 2 ] &&
	grep -qE 'LOAD +0x[0-9a-f]+ 0x0+ 0x0+ 0x10000000 ' "$TMP/elf"; then
	ok native-core-readelf
else
	not_ok native-core-readelf "$(tail -n 12 "$TMP/elf" "$TMP/elf.err" | tr '\n' '|')"
fi
if command -v gdb-multiarch >/dev/null; then
	timeout "$LIMIT" gdb-multiarch -nx -batch "$GUESTS/panic.elf" -c "$CORE" -ex 'info threads' -ex backtrace \
		-ex 'x/s command_line' </dev/null >"$TMP/gdb" 2>&1
	missing=
	for want in '^#0 ' '^#[0-9] .* guest_main \(\)' '^\* 1 +LWP 1' '^  2 +LWP 2' '"console=ttyS0'; do
		grep -qE -- "$want" "$TMP/gdb" || missing="$missing $want"
	done
	if [ -z "$missing" ]; then ok native-core-gdb; else not_ok native-core-gdb "no$missing: $(tail -n 12 "$TMP/gdb" | tr '\n' '|')"; fi
else
	skip native-core-gdb 'gdb-multiarch is not installed'
fi

run triple -m 64M --core "$CORE"
expect native-core-of-a-crash 134
if readelf -h "$CORE" 2>&1 | grep -q 'Type: *CORE'; then ok native-core-of-a-crash-is-there; else not_ok native-core-of-a-crash-is-there "$(last_words)"; fi

run hello -m 64M --core "$CORE"
expect native-core-not-without-panic 0
if [ ! -s "$CORE" ]; then ok native-core-stays-empty; else not_ok native-core-stays-empty "$(stat -c %s "$CORE") bytes"; fi

# Where it cannot be written, the run says so and ends as it would.
mkfifo "$TMP/fifo"
cat <"$TMP/fifo" >/dev/null &
reader=$!
run panic -m 64M --core "$TMP/fifo"
kill $reader 2>/dev/null
wait $reader 2>/dev/null
expect native-core-no-file 134
says native-core-no-file-said "no regular file"
(
	ulimit -f 64
	run panic -m 64M --core "$TMP/small"
	expect native-core-too-large 134
	says native-core-too-large-said "cannot be written: File too large"
	if readelf -h "$TMP/small" >/dev/null 2>&1; then
		not_ok native-core-no-half "it looks like a core"
	elif [ "$(stat -c %b "$TMP/small")" -gt 16 ]; then
		not_ok native-core-no-half "$(stat -c %b "$TMP/small") blocks"
	else
		ok native-core-no-half
	fi
)
run panic -m 64M --core "$GUESTS/panic.elf"
expect native-core-not-over-the-kernel 64
