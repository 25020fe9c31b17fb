#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Packed kernels run, through the sandbox, as the plain ones do; damaged and boundless ones are refused.
. "$(dirname "$0")/common"
need_guests

PLAIN=$GUESTS/hello.elf
GUESTS=$TMP # run takes its guests from here now

runs() { # runs NAME: $TMP/NAME.elf
	run "$1" -m 64M -a 'say hello'
	expect "native-packed-$1" 0 'hello: a guest of hvrun'
}

refused() { # refused NAME WORDS
	run "$1" -m 64M
	expect "native-packed-$1" 65 && says "native-packed-$1-words" "$2"
	if [ "$(wc -l <"$TMP/err")" = 1 ]; then
		ok "native-packed-$1-line"
	else
		not_ok "native-packed-$1-line" "not one line: $(last_words)"
	fi
}

le32() { # le32 NUMBER
	local n=$1
	# shellcheck disable=SC2059 # the format is the bytes
	printf "\\x$(printf %02x $((n & 255)))\\x$(printf %02x $((n >> 8 & 255)))"
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x $((n >> 16 & 255)))\\x$(printf %02x $((n >> 24 & 255)))"
}

zboot() { # zboot METHOD PAYLOAD: an EFI zboot program's head and payload
	{
		printf 'MZ\0\0zimg'
		le32 64
		le32 "$(stat -c %s "$2")"
		printf '\0\0\0\0\0\0\0\0%s' "$1"
		head -c 64 /dev/zero
	} | head -c 64
	cat "$2"
}

gzip -9 <"$PLAIN" >"$TMP/gzip.elf"
runs gzip
gzip -1 <"$TMP/gzip.elf" >"$TMP/gzip-gzip.elf"
runs gzip-gzip
zboot gzip "$TMP/gzip.elf" >"$TMP/zboot.elf"
runs zboot
gzip -1 <"$TMP/zboot.elf" >"$TMP/gzip-zboot.elf"
runs gzip-zboot

if command -v zstd >/dev/null; then
	zstd -q -19 <"$PLAIN" >"$TMP/zstd.elf" # from a pipe: its size is not told
	runs zstd
	zstd -q -22 --ultra -c "$PLAIN" >"$TMP/zstd-22.elf"
	runs zstd-22
	zboot zstd22 "$TMP/zstd-22.elf" >"$TMP/zboot-zstd.elf"
	runs zboot-zstd
	head -c 100M /dev/zero | zstd -q >"$TMP/zstd-bomb.elf"
	refused zstd-bomb "unpack to more than the guest's memory (67108864 bytes)"
else
	skip native-packed-zstd 'there is no zstd program here'
fi

gzip -1 <"$TMP/gzip-gzip.elf" >"$TMP/thrice.elf"
refused thrice 'packed more than 2 times'
head -c 2000 "$TMP/gzip.elf" >"$TMP/cut.elf"
refused cut 'cut short: its gzip data has no end (2000 bytes)'
{ head -c -8 "$TMP/gzip.elf" && printf 'ABCD' && tail -c 4 "$TMP/gzip.elf"; } >"$TMP/crc.elf"
refused crc 'its gzip data is damaged: incorrect data check'
head -c 100M /dev/zero | gzip -1 >"$TMP/gzip-bomb.elf"
refused gzip-bomb "unpack to more than the guest's memory (67108864 bytes)"
zboot lzma "$TMP/gzip.elf" >"$TMP/zboot-lzma.elf"
refused zboot-lzma 'an EFI zboot program packed by "lzma"'
printf '\3757zXZ\0' >"$TMP/xz-cut.elf"
refused xz-cut 'cut short: its xz data has no end (6 bytes)'
if command -v xz >/dev/null; then
	xz <"$PLAIN" >"$TMP/xz.elf"
	runs xz
	head -c 100M /dev/zero | xz -1 >"$TMP/xz-bomb.elf"
	refused xz-bomb "unpack to more than the guest's memory (67108864 bytes)"
else
	skip native-packed-xz 'there is no xz program here'
fi
