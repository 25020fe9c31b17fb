#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The balloon natively: what the guest hands over or reports is no longer resident, as the host counts it.
. "$(dirname "$0")/common"
need_guests
S=$TMP/socket

# shown WORD: waits until the console shows it.
shown() { await grep -q "^balloon: $1" "$TMP/out"; }

# In MiB, without pages of programs and libraries, which the host takes and brings back as it likes. Counted page by
# page where we may: the other numbers are gathered by each CPU for itself, and lag the more CPUs there are.
resident() {
	{ cat "/proc/$pid/smaps" || cat "/proc/$pid/status"; } 2>/dev/null |
		awk '/^[0-9a-f]+-[0-9a-f]+ / { count = $6 !~ /^\// || $6 ~ /^\/memfd:/ }
			(/^Rss:/ && count) || /^Rss(Anon|Shmem):/ { sum += $2 } END { print int(sum / 1024) }'
}

# fell NAME BEFORE MIB: what is resident, in MiB, is by about that less than it was.
fell() {
	local now
	now=$(resident)
	if [ -n "$now" ] && [ $(($2 - now)) -ge $(($3 - 2)) ] && [ $(($2 - now)) -le $(($3 + 2)) ]; then
		ok "$1"
	else
		not_ok "$1" "resident: $2 MiB before, $now MiB now, should be $3 less; $(tail -n 2 "$TMP/err" "$TMP/out" | tr '\n' '|')"
	fi
}

# machine PREFIX OPTION...: the guest's whole way, once.
machine() {
	local name=$1 before
	shift
	launch balloon -m 128M --timeout 250 --control "$S" --balloon "$@"
	shown touched
	ctl "$name-too-much" 71 'the guest has 134217728 bytes' balloon 129M
	ctl "$name-status" 0 '"driver": true.*"actual_bytes": 0.*"free_bytes": 8192' status
	before=$(resident)
	ctl "$name-set" 0 '"target_bytes": 16777216' balloon 16M
	shown inflated
	fell "$name-inflated" "$before" 16
	ctl "$name-actual" 0 '"actual_bytes": 16777216' status
	before=$(resident)
	ctl "$name-more" 0 '"target_bytes": 33554432' balloon 32M
	shown reported
	fell "$name-reported" "$before" 16
	before=$(resident)
	ctl "$name-none" 0 '"target_bytes": 0' balloon 0
	shown deflated
	fell "$name-deflated" "$before" -32
	ctl "$name-go" 0 '"target_bytes": 4096' balloon 4K
	over
	expect "$name" 0 "balloon: all is well"
	says "$name-refusal" "a page that is not RAM is put into the balloon"
}

machine balloon
# Memory that another process was handed too: pages leave its file.
if [ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ]; then
	mkdir "$TMP/share"
	machine balloon-shared --share "$TMP/share"
else
	skip balloon-shared "no virtiofsd (package virtiofsd, or qemu-system-common)"
fi
ctl balloon-word 64 'is not a size' balloon much
run balloon -m 128M
expect balloon-not-wanted 1 "FAIL: no virtio-balloon"
