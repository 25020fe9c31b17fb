#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The documents: links and files that they name exist, options are those of --help, the device of
# adding-a-device.md compiles.
. "$TEST_TOP/tests/lib/sh.sh"
cd "$TEST_TOP" || exit 1

gone=
for doc in README.md docs/*.md; do
	for link in $(grep -oE '\]\([^)#:]+\)' "$doc" | tr -d ']()'); do
		[ -e "$(dirname "$doc")/$link" ] || gone="$gone $doc:$link"
	done
done
if [ -z "$gone" ]; then ok 'links lead somewhere'; else not_ok 'links lead somewhere' "$gone"; fi

# Files named with their folder: vm/vm.c, tests/run, ...
gone=
for doc in README.md docs/README.md docs/architecture.md docs/security.md; do
	for file in $(grep -oE '\b(base|mm|hw|virtio|cpu|arch|vm|cli|tests|tools|docs|guests)/[a-zA-Z0-9_./-]+\.(c|h|sh|md|1)\b' "$doc"); do
		[ -e "$file" ] || gone="$gone $doc:$file"
	done
done
if [ -z "$gone" ]; then ok 'files that are named exist'; else not_ok 'files that are named exist' "$gone"; fi

missing=
for doc in docs/*.md docs/*/*.md; do
	[ -e "$doc" ] && [ "$doc" != docs/README.md ] || continue
	grep -qF "(${doc#docs/})" docs/README.md || missing="$missing $doc"
done
if [ -z "$missing" ]; then ok 'docs/README.md lists every document'; else not_ok 'docs/README.md lists every document' "$missing"; fi

# The README's table has the options of --help, except the ones about help itself.
"$HVRUN" --help | grep -oE -- '--[a-z-]+' | grep -vE -- '^--(help|version|verbose|quiet)$' | sort -u >"$TMPDIR/help"
sed -n '/^| option/,/^$/p' README.md | grep -oE -- '--[a-z][a-z-]+' | sort -u >"$TMPDIR/readme"
if d=$(diff "$TMPDIR/help" "$TMPDIR/readme"); then ok 'the options of the README'; else not_ok 'the options of the README' "$(tr '\n' '|' <<<"$d")"; fi

# The example of adding-a-device.md: virtio/count.c, a line for virtio/devices.h, functions for vm/devices.c, a test
# of its own, and a row on the bench of all devices.
block() { awk -v n="$1" '/^```c$/ { i++; on = 1; next } /^```$/ { on = 0 } on && i == n' docs/adding-a-device.md; }
mkdir -p "$TMPDIR/virtio"
block 1 >"$TMPDIR/virtio/count.c"
{ sed '$d' virtio/devices.h; block 2; echo '#endif'; } >"$TMPDIR/virtio/devices.h"
{ sed '/^static int create_all/,$d' vm/devices.c; block 3; sed -n '/^static int create_all/,$p' vm/devices.c; } |
	sed 's/r = create_rng(vm);/&\n\tif (!r)\n\t\tr = create_count(vm);/' >"$TMPDIR/row.c"
block 4 >"$TMPDIR/test.c"
{ cat tests/lib/bench_small.c && block 5; } >"$TMPDIR/bench.c"
for part in virtio/count row test bench; do
	if "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -DHVRUN_DEBUG=0 -DHVRUN_VERSION='""' -Wall -Wextra -Wshadow -Wconversion \
		-Wmissing-prototypes -Werror -I"$TMPDIR" -I. -fsyntax-only "$TMPDIR/$part.c" 2>"$TMPDIR/cc"; then
		ok "adding-a-device.md compiles: $part"
	else
		not_ok "adding-a-device.md compiles: $part" "$(grep -m 1 error "$TMPDIR/cc")"
	fi
done

# porting.md names what an architecture provides, all of it and nothing else.
objects=$(ls "$(dirname "$HVRUN")"/obj/arch/{x86,arm64,riscv}/*.o 2>/dev/null)
if [ -z "$objects" ]; then
	skip 'porting.md has the functions of an architecture' "there are no objects beside $HVRUN"
else
	# shellcheck disable=SC2086 # words
	nm -g --defined-only $objects | awk '$3 ~ /^arch_/ { print $3 }' | sort -u >"$TMPDIR/provided"
	grep -oE '`arch_[a-z_]+`' docs/porting.md | tr -d '`' | sort -u >"$TMPDIR/named"
	if [ "$(wc -l <"$TMPDIR/provided")" -ge 20 ] && d=$(diff "$TMPDIR/provided" "$TMPDIR/named"); then
		ok 'porting.md has the functions of an architecture'
	else
		not_ok 'porting.md has the functions of an architecture' "$(tr '\n' '|' <<<"$d")"
	fi
fi
# And on the guests' side.
d=
for name in $(sed -nE 's/^[a-z_].*[ *](plat_[a-z_]+)\(.*/\1/p' guests/lib/platform.h); do
	for arch in x86 arm64 riscv; do
		board=guests/dt/board.c
		[ "$arch" != x86 ] || board=
		grep -qE "[ *]$name\(" "guests/$arch"/*.c $board || d="$d $arch:$name"
	done
done
if [ -z "$d" ]; then ok 'each architecture has the functions of guests/'; else not_ok 'each architecture has the functions of guests/' "$d"; fi
