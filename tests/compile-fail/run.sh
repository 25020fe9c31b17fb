#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each tests/compile-fail/*.c must be refused by the compiler, with the message that its "expect:"
# comment names; one with "expect-success:" must be accepted (so that the refusals mean something).
. "$TEST_TOP/tests/lib/sh.sh"

base_flags='-std=gnu17 -O1 -D_GNU_SOURCE -DHVRUN_DEBUG=1 -I. -Wall -Wextra -Werror -c -o /dev/null'
field() { sed -n "s,^/\* $2: \(.*\) \*/\$,\1,p" "$1" | head -n 1; }

clang=
guards=
if command -v clang-22 >/dev/null; then
	clang=clang-22 guards='-fexperimental-late-parse-attributes -DHVRUN_GUARDED_BY -Wthread-safety-beta'
elif command -v clang-14 >/dev/null; then
	clang=clang-14
elif command -v clang >/dev/null; then
	clang=clang
fi

try() { # try FILE NAME COMPILER FLAG...
	local file=$1 name=$2 expect log=$TMPDIR/log
	shift 2
	# shellcheck disable=SC2086 # words
	if "$@" $base_flags "$file" >"$log" 2>&1; then
		if [ -n "$(field "$file" expect-success)" ]; then ok "$name"; else not_ok "$name" 'it compiles'; fi
		return
	fi
	expect=$(field "$file" expect)
	if [ -z "$expect" ]; then
		not_ok "$name" "$(grep -m 1 error "$log")"
	elif grep -qF -- "$expect" "$log"; then
		ok "$name"
	else
		not_ok "$name" "the message is not '$expect' but: $(grep -m 1 error "$log")"
	fi
}

for file in tests/compile-fail/*.c; do
	name=$(basename "$file" .c)
	case $(field "$file" compilers) in *gcc*) try "$file" "$name (gcc)" gcc ;; esac
	if [ -z "$clang" ]; then
		skip "$name" 'no clang here'
	elif [ -z "$guards" ] && [ -n "$(field "$file" needs)" ]; then
		skip "$name" 'this clang cannot parse an attribute that names a field (clang-22 can)'
	else
		# shellcheck disable=SC2086 # words
		try "$file" "$name" "$clang" -Wthread-safety $guards
	fi
done
