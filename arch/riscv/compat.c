/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the riscv64 libraries of a newer Debian ask of a C library that is older than they are: Jansson's
 * strtoll of C23, which differs in numbers that begin with 0b only.
 */
#include <stdlib.h>

long long __isoc23_strtoll(const char *text, char **end, int base);

long long __isoc23_strtoll(const char *text, char **end, int base)
{
	return strtoll(text, end, base);
}
