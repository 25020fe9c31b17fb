#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The files of tests/examples/ do what docs/ci.md says, with the small kernels of guests/: one that runs a
# command and ends with its status, one that panics, one that hangs.
. "$(dirname "$0")/common"
need_guests
examples=$TEST_TOP/tests/examples
PATH=$PATH:/usr/sbin:/sbin
HVRUN=$(realpath "$HVRUN") GUESTS=$(realpath "$GUESTS")
export HVRUN HVRUN_OPTIONS="-m 64M --root $TMP/tree,copy"
command -v mke2fs >/dev/null || skip_all 'there is no mke2fs here'
mkdir "$TMP/tree" "$TMP/work" && cd "$TMP/work" || exit 1
is() { # NAME GOT WANTED
	[ "$2" = "$3" ] && ok "$1" || not_ok "$1" "'$2' is not '$3'; $(tail -n 3 "$TMP/said" | tr '\n' '|')"
}

# The workflow's step that runs the test, as a shell would get it.
step() {
	awk '/name: boot it and run the self-test/ { found = 1 }
		found && /^          / { print substr($0, 11) }
		found && !/^        run:/ && !/^          / && !/name: boot/ { exit }' "$examples/workflow.yml"
}
is workflow-step "$(step | grep -c 'exec --kernel .*--timeout')" 1
for case in 'command 0' 'panic 134'; do
	step >step.sh
	KERNEL=$GUESTS/${case% *}.elf bash -e step.sh >"$TMP/said" 2>&1
	is "workflow-${case% *}" $? "${case#* }"
done
is workflow-console "$(grep -c 'Kernel panic - not syncing: made up' console.log)" 1
if python3 -c 'import yaml' 2>/dev/null; then
	is workflow-is-yaml "$(python3 -c 'import sys, yaml
print(len(yaml.safe_load(open(sys.argv[1]))["jobs"]["selftest"]["steps"]))' "$examples/workflow.yml")" 6
else
	skip workflow-is-yaml 'there is no Python with yaml here'
fi

make -s -f "$examples/Makefile" check-boot KERNEL="$GUESTS/command.elf" HVRUN="$HVRUN" \
	HVRUN_OPTIONS="$HVRUN_OPTIONS" >"$TMP/said" 2>&1
is makefile-passes $? 0
make -s -f "$examples/Makefile" check-boot KERNEL="$GUESTS/command.elf" HVRUN="$HVRUN" \
	HVRUN_OPTIONS="$HVRUN_OPTIONS -a status=3" >"$TMP/said" 2>&1
is makefile-fails "$? $(grep -c 'Error 3' "$TMP/said")" '2 1'

# One step for each verdict, then a whole bisection: two kernels that are good, two that panic.
step_says() { # NAME STATUS KERNEL
	BUILD=true KERNEL=$3 "$examples/bisect-step" true >"$TMP/said" 2>&1
	is "bisect-$1" $? "$2"
}
echo 'this is no kernel' >none
step_says good 0 "$GUESTS/command.elf"
step_says bad 1 "$GUESTS/panic.elf"
step_says skips 125 none
step_says stops 128 absent
BUILD=false "$examples/bisect-step" true
is bisect-does-not-build $? 125

bisect() {
	git init -q repository && cd repository || return 1
	git config user.name test && git config user.email test@example.org
	for kernel in command command panic panic; do
		cp "$GUESTS/$kernel.elf" kernel && date +%s%N >number # each commit is another one
		git add kernel number && git -c commit.gpgsign=false commit -qm "$kernel" || return 1
	done
	git bisect start HEAD HEAD~3 && git bisect run "$examples/bisect-step" ./selftest
}
if command -v git >/dev/null; then
	(export BUILD=true KERNEL=kernel && bisect) >"$TMP/said" 2>&1
	found=$(sed -n 's/ is the first bad commit$//p' "$TMP/said")
	is bisect-finds "$(git -C repository log -2 --topo-order --format=%s "$found" -- | tr '\n' ' ')" 'panic command '
else
	skip bisect 'there is no git here'
fi

if command -v gdb-multiarch >/dev/null; then
	GDB=gdb-multiarch "$examples/debug-session" "$GUESTS/hello.elf" "$GUESTS/hello.elf" guest_main -m 64M \
		>"$TMP/said" 2>&1
	is debug-session "$? $(grep -c '^\(Thread 1 .* hit \)\?.*reakpoint 1, guest_main' "$TMP/said") $(grep -c '^hello: a guest of hvrun' "$TMP/said")" '0 1 1'
else
	skip debug-session 'gdb-multiarch is not installed'
fi
