#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# docs/threats.md is true: all 33 rows once, each named test is in its file and runs, each fuzz target has a
# corpus, and what a row waits for does not exist. The judge itself is tried on wrong tables.
. "$TEST_TOP/tests/lib/sh.sh"
cd "$TEST_TOP" || exit 1

# judge TABLE: what is wrong with it, a line each.
judge() {
	local row rest part file name names expected=1 count
	while IFS='|' read -r _ row _ rest _; do
		row=${row// /}
		[[ $row =~ ^[0-9]+$ ]] || continue
		[ "$row" = $expected ] || echo "row $row where $expected is due"
		expected=$((row + 1))
		count=0
		while read -r part; do
			case $part in
			'') ;;
			'`tests/'*)
				file=${part#\`} file=${file%%\`*} names=${part#*\`: }
				[ -e "$file" ] || { echo "row $row: no file $file"; continue; }
				for name in ${names//,/}; do
					# A function of a C file is there twice: itself, and in the list of tests.
					case $file in *.c) [ "$(grep -cw -- "$name" "$file")" -ge 2 ] ;; *) grep -qw -- "$name" "$file" ;; esac ||
						echo "row $row: no test $name in $file"
					count=$((count + 1))
				done
				;;
			'fuzz: '*)
				names=${part#fuzz: }
				for name in ${names//,/}; do
					{ compgen -G "tests/fuzz/fuzz_$name.c" || compgen -G "tests/fuzz/*/fuzz_$name.c"; } >/dev/null &&
						compgen -G "tests/fuzz/corpus/$name/*" >/dev/null ||
						echo "row $row: no fuzz target $name"
				done
				;;
			'waiting: '*)
				file=${part#*(no \`} file=${file%%\`*}
				[ ! -e "$file" ] || echo "row $row waits for $file, which is there: write its tests"
				count=$((count + 1))
				;;
			'note: '*) ;;
			*) echo "row $row: '$part' is no test, fuzz target, wait or note" ;;
			esac
		done <<<"$(tr ';' '\n' <<<"$rest" | sed 's/^ *//; s/ *$//')"
		[ $count -gt 0 ] || echo "row $row has neither a test nor a reason"
	done <"$1"
	[ $expected = 34 ] || echo "the last row is $((expected - 1)), not 33"
}

wrong=$(judge docs/threats.md)
if [ -z "$wrong" ]; then ok threats-table; else not_ok threats-table "$(tr '\n' '|' <<<"$wrong")"; fi

# finds NAME SED-SCRIPT WORDS: the table changed so is found wrong
finds() {
	sed "$2" docs/threats.md >"$TMPDIR/table"
	if judge "$TMPDIR/table" | grep -qF -- "$3"; then ok "$1"; else not_ok "$1" "$(judge "$TMPDIR/table")"; fi
}
finds a-row-is-missing '/^| 7 |/d' 'row 8 where 7 is due'
finds the-last-row-is-missing '/^| 33 |/d' 'the last row is 32'
finds a-test-is-gone 's/test_threat_07_loops/test_threat_07_hoops/' 'no test test_threat_07_hoops'
finds a-file-is-gone 's,tests/unit/test_mmio_threats.c,tests/unit/test_nnio_threats.c,' 'no file tests/unit/test_nnio_threats.c'
finds a-target-is-gone 's/fuzz: legacy/fuzz: legaxy/' 'no fuzz target legaxy'
finds the-wait-is-over 's,`virtio/9p.c`,`virtio/blk.c`,' 'waits for virtio/blk.c'
finds nothing-named 's/^| 31 |.*/| 31 | x | note: y |/' 'row 31 has neither'
