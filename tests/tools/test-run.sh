#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/run itself: what counts as passed, failed and skipped, the last line, and the status.
. "$TEST_TOP/tests/lib/sh.sh"

tree=$TMPDIR/tree
mkdir -p "$tree/tests/tools"
cp tests/run "$tree/tests/run"

# runs NAME STATUS LAST-LINE SCRIPT-TEXT: the runner over one test with that text
runs() {
	rm -rf "$tree"/tests/tools/*
	if [ -n "$4" ]; then
		printf '#!/bin/bash\n%s\n' "$4" >"$tree/tests/tools/it.sh"
		chmod +x "$tree/tests/tools/it.sh"
	fi
	HVRUN_TEST_LIMIT=${LIMIT:-100} HVRUN_TEST_LONG='' run_command 300 "$tree/tests/run" tools
	if [ "$status" != "$2" ]; then
		not_ok "$1" "status $status, not $2"
	elif [ "$(tail -n 1 "$out")" != "$3" ]; then
		not_ok "$1" "last line '$(tail -n 1 "$out")', not '$3'"
	elif [ "$(grep -cE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$out")" != 1 ]; then
		not_ok "$1" 'the line is there more than once'
	else
		ok "$1"
	fi
}

runs all-well 0 '2 passed, 0 failed, 0 skipped' 'echo ok a; echo "# ok no"; echo ok b'
runs one-fails 1 '1 passed, 1 failed, 0 skipped' 'echo ok a; echo not ok b: why'
runs fails-with-status 1 '0 passed, 1 failed, 0 skipped' 'echo not ok b: why; exit 1'
runs one-skipped 0 '1 passed, 0 failed, 1 skipped' 'echo ok a; echo skip b: why'
runs only-skipped 1 '0 passed, 0 failed, 1 skipped' 'echo skip b: why'
runs cmocka-skips 0 '1 passed, 0 failed, 2 skipped' \
	'echo "ok 1 - a"; echo "not ok 2 # SKIP b"; echo "ok 3 # SKIP c"'
runs cmocka-says-twice 1 '1 passed, 1 failed, 0 skipped' \
	'echo "ok 1 - a"; echo "not ok 2 - b"; echo "not ok 2 - b"; exit 1'
runs dies-after-ok 1 '1 passed, 1 failed, 0 skipped' 'echo ok a; kill -SEGV $$'
runs status-without-word 1 '1 passed, 1 failed, 0 skipped' 'echo ok a; exit 3'
runs says-nothing 1 '0 passed, 1 failed, 0 skipped' 'exit 0'
LIMIT=12 runs hangs 1 '1 passed, 1 failed, 0 skipped' 'echo ok a; sleep 300'
LIMIT=12 runs hangs-stubbornly 1 '1 passed, 1 failed, 0 skipped' 'trap "" TERM; echo ok a; while :; do sleep 1; done'
runs no-tests 1 '0 passed, 0 failed, 0 skipped' ''
runs scratch-is-its-own 0 '1 passed, 0 failed, 0 skipped' \
	'[ -d "$TMPDIR" ] && [ -z "$(ls "$TMPDIR")" ] && touch "$TMPDIR/x" && echo ok a'

leftover=$(find "$TMPDIR" -mindepth 1 -maxdepth 1 -name 'hvrun-test.*')
if [ -z "$leftover" ]; then ok scratch-is-removed; else not_ok scratch-is-removed "$leftover"; fi

run_command 200 "$tree/tests/run" nonsense
if [ "$status" = 64 ]; then ok no-such-suite; else not_ok no-such-suite "status $status"; fi
