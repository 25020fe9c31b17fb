#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tools/hot-script puts what a list names first, whatever of it there is, and says when a linker's script
# is not as it knows them. Then the real list, in a small program.
. "$TEST_TOP/tests/lib/sh.sh"

script=$TMPDIR/script list=$TMPDIR/list
printf '%s\n' 'GNU ld' ===== 'SECTIONS {' '  .text           :' '  {' '    *(.text .text.*)' '  }' \
	'  .rodata         : { *(.rodata .rodata.* .gnu.linkonce.r.*) }' '}' ===== >"$script"
printf '%s\n' '# words' '' 'vm/vm.o .text.build' 'vm/vm.o .text.climb' 'libc.a:malloc.o .text' >"$list"

run_command 200 tools/hot-script "$list" "$script"
printf '%s\n' 'SECTIONS {' '  .text           :' '  {' '    */vm/vm.o(.text.build .text.build.*)' \
	'    */vm/vm.o(.text.climb .text.climb.*)' '    *libc.a:malloc.o(.text .text.*)' \
	'    */vm/vm.o(.text .text.*)' '    *(.text .text.*)' '  }' '  .rodata         : {' '    */vm/vm.o(.rodata .rodata.*)' \
	'    *libc.a:malloc.o(.rodata .rodata.*)' '    *(.rodata .rodata.* .gnu.linkonce.r.*)' '  }' '}' \
	>"$TMPDIR/expected"
if [ "$status" = 0 ] && cmp -s "$out" "$TMPDIR/expected"; then
	ok "what is listed comes first"
else
	not_ok "what is listed comes first" "status $status: $(diff "$out" "$TMPDIR/expected" | head -n 5)"
fi

sed -i '/rodata/d' "$script"
run_command 200 tools/hot-script "$list" "$script"
if [ "$status" != 0 ] && grep -q 'no .rodata as expected' "$err"; then
	ok "another kind of script is refused in words"
else
	not_ok "another kind of script is refused in words" "status $status: $(cat "$err")"
fi

# By the real linker: a listed function begins .text, and of the real list a program takes what it has.
mkdir -p "$TMPDIR/obj/vm"
echo 'int before(void) { return 1; } int build(void) { return before() + 6; }' >"$TMPDIR/obj/vm/vm.c"
echo 'int build(void); int main(void) { return build(); }' >"$TMPDIR/obj/main.c"
link() { # link LIST: builds prog, runs it
	{ gcc -static-pie -Wl,--verbose 2>/dev/null || :; } | "$TEST_TOP/tools/hot-script" "$1" - >hot.ld &&
		gcc -static-pie -Wl,-T,hot.ld -o prog ./main.o ./vm/vm.o && ./prog
}
cd "$TMPDIR/obj" || exit 1
for c in main vm/vm; do gcc -fno-inline -ffunction-sections -c -o "$c.o" "$c.c"; done
link "$list" 2>"$TMPDIR/link.err"
ran=$?
first=$(readelf -SW prog | sed -n 's/.* \.text *PROGBITS *\([0-9a-f]*\).*/\1/p')
if [ "$ran" = 7 ] && [ -n "$first" ] && nm prog | grep -qx "$first T build"; then
	ok "a listed function begins the program's code"
else
	not_ok "a listed function begins the program's code" "status $ran, .text at $first, $(nm prog | grep ' build$')"
fi
link "$TEST_TOP/mk/hot.list" 2>"$TMPDIR/link.err"
ran=$?
if [ "$ran" = 7 ]; then
	ok "of hvrun's list a program takes what it has"
else
	not_ok "of hvrun's list a program takes what it has" "status $ran: $(head -n 3 "$TMPDIR/link.err")"
fi
