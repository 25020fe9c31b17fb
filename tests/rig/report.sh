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

# The guest's lines `RIG-CHECK name ok` in $log, one for each name; a missing one is a failure.
from_guest() {
	for check in "$@"; do
		line=$(sed -n "s/^RIG-CHECK $check //p" "$log" | head -n 1)
		case $line in
		ok) ok "$rig_arch-${from_guest_prefix:-}$check" ;;
		'') not_ok "$rig_arch-${from_guest_prefix:-}$check" "the guest did not get there ($log)" ;;
		*) not_ok "$rig_arch-${from_guest_prefix:-}$check" "$line" ;;
		esac
	done
}
