#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Where memory comes from: --prefault, --hugepages and --numa, as the report's peak and the host's counters tell.
. "$(dirname "$0")/common"
need_guests

# peak: MiB that hvrun had resident at most, by its report.
peak() { sed -n 's/.*"peak_bytes": \([0-9]*\).*/\1/p' "$TMP/report" | awk '{ print int($1 / 1048576) }'; }

run hello -m 192M --report "$TMP/report"
plain=$(peak)
run hello -m 192M --prefault --report "$TMP/report"
full=$(peak)
if [ "$status" -eq 0 ] && [ "${plain:-999}" -lt 160 ] && [ "${full:-0}" -ge 192 ]; then
	ok memory-prefault
elif [ -n "$HVRUN_SANITIZER" ] && [ "$status" -eq 0 ]; then
	skip memory-prefault "a sanitizer's own memory is as large"
else
	not_ok memory-prefault "peak $plain MiB without, $full with: $(last_words)"
fi

run hello --numa 0
if [ "$status" -eq 71 ] && grep -q 'Function not implemented\|Operation not permitted\|no nodes' "$TMP/err"; then
	skip memory-numa "$(head -n 1 "$TMP/err")"
else
	expect memory-numa 0
	run hello --numa 1000
	expect memory-numa-none 71
	says memory-numa-words '--numa 1000: this host has no such node with memory; it has 0'
fi

pool=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
run hello -m 63M --hugepages
expect memory-hugepages-odd 64
if [ ! -e $pool ]; then
	run hello -m 64M --hugepages
	expect memory-hugepages-none 71
	says memory-hugepages-none-words 'kernel has no huge pages of 2 MiB'
	skip memory-hugepages "this host's kernel has no huge pages of 2 MiB"
	exit 0
fi
before=$(cat $pool)
run hello -m 1000G --hugepages
expect memory-hugepages-few 71
says memory-hugepages-words 'the guest needs 512000 huge pages of 2 MiB, and the host has'
if ! echo $((before + 40)) 2>/dev/null >$pool || [ "$(cat $pool)" -lt $((before + 40)) ]; then
	[ ! -w $pool ] || echo "$before" >$pool
	skip memory-hugepages "no huge pages can be reserved here"
	exit 0
fi
run mem -m 64M --hugepages --prefault --report "$TMP/report"
full=$(peak)
expect memory-hugepages 0
# Shared with a process that serves a disk: the same pages, and requests go through them.
if command -v qemu-storage-daemon >/dev/null && command -v qemu-img >/dev/null; then
	qemu-img create -q -f qcow2 "$TMP/huge.qcow2" 1M
	run virtio-blk -m 64M --hugepages -v -d "$TMP/huge.qcow2,format=qcow2"
	expect memory-hugepages-shared 0 'virtio-blk: reset in flight'
	says memory-hugepages-shared-words 'shared with other processes: all of it huge pages'
else
	skip memory-hugepages-shared 'qemu-storage-daemon or qemu-img is not installed'
fi
echo "$before" >$pool
# Such pages are not counted as resident: the guest's memory was of no others.
if [ "${full:-999}" -lt 60 ] || [ -n "$HVRUN_SANITIZER" ]; then
	ok memory-hugepages-only
else
	not_ok memory-hugepages-only "peak $full MiB of small pages"
fi
