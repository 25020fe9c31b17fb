#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A fuzz target runs under AFL++, from its corpus, where Debian's afl++ is installed (make fuzz ENGINE=afl installs it).
. "$TEST_TOP/tests/lib/sh.sh"
cd "$TEST_TOP" || exit 1
command -v afl-fuzz >/dev/null && command -v afl-clang-fast >/dev/null || skip_all 'there is no AFL++ here'

ENGINE=nonsense run_command 200 tools/fuzz qcow2 5
if [ "$status" = 64 ] && grep -q 'neither libfuzzer nor afl' "$err"; then ok other-engine; else not_ok other-engine "status $status"; fi

# Building everything for it takes minutes: only the long form does that.
limit=100
if [ -n "${HVRUN_TEST_LONG:-}" ]; then
	limit=900
elif ! compgen -G 'out/*/afl/fuzz/qcow2' >/dev/null; then
	skip_all 'it is not built yet (make test-long does)'
fi
run_command $limit make -s fuzz TARGET=qcow2 TIME=5 ENGINE=afl
done=$(sed -n 's/^execs_done *: //p' "$out")
if [ "$status" = 0 ] && [ "${done:-0}" -gt 100 ]; then
	ok afl-fuzzes
elif [ "$status" = hung ]; then
	skip afl-fuzzes 'this machine is too slow to build it in time'
else
	not_ok afl-fuzzes "status $status, ${done:-no} runs: $(tail -n 3 "$err" | tr '\n' '|')"
fi
