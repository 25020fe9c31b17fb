# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# How the tests of this folder report: one line a check, as tests/run reads them.

report_failed=0
ok() { printf 'ok %s\n' "$1"; }
not_ok() { printf 'not ok %s: %s\n' "$1" "$2"; report_failed=1; }
skip() { printf 'skip %s: %s\n' "$1" "$2"; }
finish() { exit "$report_failed"; }

# is NAME GOT WANTED
is() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got '$2', wanted '$3'"; fi
}

# The guest's lines `RIG-CHECK name ok` in $log, the last one for each name; a missing one is a failure.
from_guest() {
	for check in "$@"; do
		line=$(sed -n "s/^RIG-CHECK $check //p" "$log" | tail -n 1)
		case $line in
		ok) ok "$rig_arch-${from_guest_prefix:-}$check" ;;
		'') not_ok "$rig_arch-${from_guest_prefix:-}$check" "the guest did not get there ($log)" ;;
		*) not_ok "$rig_arch-${from_guest_prefix:-}$check" "$line" ;;
		esac
	done
}

# run_rig ARGUMENT...: tests/rig/rig, its status in $status: the job's, or 125 when L1 did not come to its end.
# It is not run again: what was taken for an L1 that had stopped was a machine too slow for the limit.
run_rig() {
	status=0
	tests/rig/rig "$@" || status=$?
}

# at_once COMMAND...: runs it beside the others started so, in a shell of its own; all_done waits for
# them and prints what they said, in the order in which they were started. How many hosts run at once
# is the rig's own matter.
at_once_count=0
at_once() {
	[ "$at_once_count" -gt 0 ] || at_once_dir=$(mktemp -d)
	at_once_count=$((at_once_count + 1))
	{ "$@"; finish; } >"$at_once_dir/$at_once_count" 2>&1 &
	echo $! >"$at_once_dir/$at_once_count.pid"
}
all_done() {
	at_once_done=0
	while [ "$at_once_done" -lt "$at_once_count" ]; do
		at_once_done=$((at_once_done + 1))
		wait "$(cat "$at_once_dir/$at_once_done.pid")" || report_failed=1
		cat "$at_once_dir/$at_once_done"
	done
	[ "$at_once_count" -eq 0 ] || rm -rf "$at_once_dir"
}

# The architectures that have a description here.
every_arch() { (cd tests/rig && ls -- *.conf | sed 's/\.conf$//'); }

# each_arch NAME ARCHS FUNCTION: calls FUNCTION with the description of one architecture after another loaded:
# of those in RIG_ARCHS where that is set, else of ARCHS. Whose rig cannot run here is skipped as ARCH-NAME.
each_arch() {
	each_name=$1 each_function=$3
	for arch in ${RIG_ARCHS:-$2}; do
		rig_load "$arch" || {
			not_ok "$arch-$each_name" 'there is no description of it'
			continue
		}
		why=$(rig_missing)
		if [ -z "$why" ]; then "$each_function"; else skip "$arch-$each_name" "$why"; fi
	done
}

# has_hvrun NAME: builds hvrun for the architecture at hand, or reports ARCH-NAME as failed.
has_hvrun() {
	rig_hvrun >/dev/null && return 0
	not_ok "$rig_arch-$1" "make static ARCH=$rig_arch failed"
	return 1
}
