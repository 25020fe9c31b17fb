#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun ctl and a machine in the hands of an enemy: silent, endless, or with words that would steer a terminal.
. "$TEST_TOP/tests/lib/sh.sh"
command -v python3 >/dev/null || skip_all 'no python3 here'

hv ctl --wait 0 "$TMPDIR/none" status
check 'no time at all' 64 'wait: 0 is not a time'
hv ctl --wait 5 "$TMPDIR/none" status
check 'nobody there' 66 'no machine has this control socket'
timeout -k 5 280 python3 "$TEST_TOP/tests/cli/ctl-hostile.py" "$HVRUN" "$TMPDIR" >"$TMPDIR/said" 2>&1 || echo "not ok ctl-hostile: status $?" >>"$TMPDIR/said"
grep -E '^(ok|not ok) ' "$TMPDIR/said" || not_ok ctl-hostile "$(tail -n 3 "$TMPDIR/said" | tr '\n' '|')"
# The options of --help are those of the page.
hv ctl --help
options_of_page hvrun-ctl.1 2
