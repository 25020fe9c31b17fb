#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sizes of memory: every region can be touched at both ends; the sum is what was asked for.
. "$(dirname "$0")/common"
need_guests

# The host gives memory when it is touched; a size beyond its RAM and swap may be refused all the
# same.
for size in 4M 64M 256M 2G 3G 3073M 5G 12G; do
	case $size in
	*G) kib=$((${size%G} * 1024 * 1024)) ;;
	*M) kib=$((${size%M} * 1024)) ;;
	esac
	run mem -m $size
	total=$(sed -n 's/^mem: \([0-9]*\) KiB in .*/\1/p' "$TMP/out.lines")
	if [ "$status" -eq 71 ]; then
		skip "native-memory-$size" "$(head -n 1 "$TMP/err")"
	elif [ "$status" -ne 0 ] || [ -z "$total" ]; then
		not_ok "native-memory-$size" "$(last_words)"
	# Less than 1 MiB may be missing: the holes below 1 MiB.
	elif [ "$total" -gt "$kib" ] || [ "$total" -le $((kib - 1024)) ]; then
		not_ok "native-memory-$size" "the guest sees $total KiB of $kib"
	elif [ "$kib" -gt $((3 * 1024 * 1024)) ] && ! grep -q '^mem: 100000000-' "$TMP/out.lines"; then
		not_ok "native-memory-$size" "no RAM from 4 GiB on: $(last_words)"
	elif grep -q '^mem: [0-9a-f]*-c[0-9a-f]\{7\}$' "$TMP/out.lines"; then
		not_ok "native-memory-$size" "RAM lies where the devices are: $(last_words)"
	else
		ok "native-memory-$size"
	fi
done
