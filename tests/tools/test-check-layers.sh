#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tools/check-layers finds each kind of breach in a small bad tree, names its place, and finds
# nothing in a good one.
. "$TEST_TOP/tests/lib/sh.sh"

tree=$TMPDIR/tree
spdx='/* SPDX-License-Identifier: BSD-2-Clause */'

fresh() { # a good tree
	rm -rf "$tree"
	mkdir -p "$tree"/{base,mm,hw,virtio,cpu,arch/x86,arch/arm64,vm,cli}
	printf '%s\n' "$spdx" >"$tree/base/a.h"
	printf '%s\n' "$spdx" '#include "base/a.h"' '/* exit(1) and abort() in words: "x" */' \
		'const char *s = "exit(1); // #if __x86_64__";' '#ifdef HVRUN_X' '#endif' >"$tree/mm/b.c"
	printf '%s\n' "$spdx" '#include <linux/virtio_ring.h>' '#include "mm/b.h"' '#include "hw/c.h"' \
		'void f(struct ops *o) { o->exit(1); on_exit(2); }' >"$tree/virtio/d.c"
	printf '%s\n' "$spdx" '#include <linux/kvm.h>' '#include "hw/c.h"' >"$tree/cpu/e.c"
	printf '%s\n' "$spdx" '#ifdef __x86_64__' '#include "arch/x86/l.h"' '#include "virtio/d.h"' \
		'#include "cpu/e.h"' '#endif' >"$tree/arch/x86/m.c"
	printf '%s\n' "$spdx" '#include "arch/arch.h"' '#include "virtio/d.h"' >"$tree/vm/n.c"
	printf '%s\n' "$spdx" '#include "vm/n.h"' 'int g(void) { exit(64); }' >"$tree/cli/o.c"
	printf '%s\n' "$spdx" '#include "cli/o.h"' >"$tree/main.c"
}

breach() { # breach NAME FILE LINE EXPECT TEXT: TEXT as line LINE (2) of FILE is found
	local name=$1 file=$2 expect=$3 text=$4
	fresh
	printf '%s\n%b\n' "$spdx" "$text" >"$tree/$file"
	run_command 200 tools/check-layers "$tree"
	if [ "$status" != 1 ]; then
		not_ok "$name" "status $status, not 1"
	elif [ "$(wc -l <"$out")" != 1 ]; then
		not_ok "$name" "not one line but: $(tr '\n' '|' <"$out")"
	elif ! grep -qF -- "$file:2: " "$out" || ! grep -qF -- "$expect" "$out"; then
		not_ok "$name" "not '$expect' at $file:2 but: $(cat "$out")"
	else
		ok "$name"
	fi
}

fresh
run_command 200 tools/check-layers "$tree"
if [ "$status" = 0 ] && [ ! -s "$out" ]; then ok good-tree; else not_ok good-tree "$(cat "$out" "$err")"; fi

up='never runs up the floors'
breach base-includes-mm base/x.c "$up" '#include "mm/memory.h"'
breach mm-includes-hw mm/x.c "$up" '#include "hw/bus.h"'
breach hw-includes-virtio hw/x.h "$up" '  #  include "virtio/queue.h"'
breach virtio-includes-cpu virtio/x.c "$up" '#include "cpu/vcpu.h"'
breach cpu-includes-virtio cpu/x.c "$up" '#include "virtio/queue.h"'
breach cpu-includes-arch cpu/x.c "$up" '#include "arch/arch.h"'
breach arch-includes-vm arch/x86/x.c "$up" '#include "vm/vm.h"'
breach vm-includes-cli vm/x.c "$up" '#include "cli/options.h"'
breach other-architecture arch/x86/x.c 'reached by arch/arch.h only' '#include "arch/arm64/gic.h"'
breach architecture-from-vm vm/x.c 'reached by arch/arch.h only' '#include "arch/x86/layout.h"'
breach by-the-back-stairs vm/x.c 'not named from the root' '#include "../cli/options.h"'
breach without-a-floor vm/x.c 'not named from the root' '#include "options.h"'
breach tests-from-source vm/x.c 'not named from the root' '#include "tests/lib/x.h"'
breach kvm-in-virtio virtio/x.c 'know no hypervisor' '#include <linux/kvm.h>'
breach kvm-in-mm mm/x.h 'know no hypervisor' '#include <linux/kvm_para.h>'
breach asm-kvm-in-hw hw/x.h 'know no hypervisor' '#include <asm/kvm.h>'
breach architecture-ifdef cpu/x.c 'belongs in arch/' '#ifdef __x86_64__\n#endif'
breach architecture-if vm/x.c 'belongs in arch/' '#if HVRUN_X && defined(__aarch64__)\n#endif'
breach architecture-elif cli/x.c 'belongs in arch/' '#elif defined(__riscv)'
breach exit-in-vm vm/x.c 'ends the process' 'void f(void) { exit(1); }'
breach abort-in-virtio virtio/x.c 'ends the process' '\tif (x) abort();'
breach _exit-in-cpu cpu/x.c 'ends the process' '\t_exit (3);'
breach errx-in-hw hw/x.c 'ends the process' '\terrx(1, "no");'
breach assert-in-mm mm/x.c 'ends the process' '\tassert(x > 1);'
breach exit-after-a-string mm/x.c 'ends the process' '\tf("/*"); exit(1);'
breach constructor virtio/x.c 'no constructors' '__attribute__((constructor)) static void f(void);'
breach lock-without-place vm/x.c 'RANKED(rank)' '\tstruct lock lock;'
breach leftover vm/x.c 'left behind' '/* TODO: later */'

fresh
printf '%s\n' "$spdx" 'void f(void) { abort(); } /* check-layers: allowed, a test */' >"$tree/base/x.c"
run_command 200 tools/check-layers "$tree"
if [ "$status" = 0 ]; then ok allowed-abort; else not_ok allowed-abort "$(cat "$out")"; fi

fresh
echo 'int x;' >"$tree/vm/x.c"
run_command 200 tools/check-layers "$tree"
if [ "$status" = 1 ] && grep -q '^vm/x.c:1: .*licence' "$out"; then ok no-licence; else not_ok no-licence "$(cat "$out")"; fi

fresh
printf '%s\n' "$spdx" '#include "hw/q.h"' >"$tree/hw/p.h"
printf '%s\n' "$spdx" '#include "hw/r.h"' >"$tree/hw/q.h"
printf '%s\n' "$spdx" '#include "hw/p.h"' >"$tree/hw/r.h"
run_command 200 tools/check-layers "$tree"
if [ "$status" = 1 ] && grep -q 'in a loop: .*hw/q.h' "$out"; then ok include-loop; else not_ok include-loop "$(cat "$out")"; fi

fresh
rm -rf "$tree"
mkdir "$tree"
run_command 200 tools/check-layers "$tree"
if [ "$status" = 1 ]; then ok empty-tree; else not_ok empty-tree "status $status"; fi

run_command 200 tools/check-layers .
if [ "$status" = 0 ]; then ok this-tree; else not_ok this-tree "$(head -n 5 "$out" | tr '\n' '|')"; fi
