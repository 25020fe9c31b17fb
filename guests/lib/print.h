/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines on the console, and the one way a guest says that a check failed. */
#ifndef GUESTS_LIB_PRINT_H
#define GUESTS_LIB_PRINT_H

#include "lib/types.h"

/*
 * A small printf: %s string, %c character, %u and %x u32, %U and %X u64, %p pointer, %%. No widths.
 */
void print(const char *format, ...);

/* Print "FAIL: " and the words, then end the run with STATUS (never 0). */
_Noreturn void fail(u32 status, const char *format, ...);

/* End the run with STATUS and the source line unless CONDITION holds. */
#define CHECK(condition, status)                                                          \
	do {                                                                              \
		if (!(condition))                                                         \
			fail((status), "%s:%u: %s", __FILE__, (u32)__LINE__, #condition); \
	} while (0)

#endif
