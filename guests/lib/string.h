/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and string helpers: what the compiler may call, and what the command line needs. */
#ifndef GUESTS_LIB_STRING_H
#define GUESTS_LIB_STRING_H

#include "lib/types.h"

void *memset(void *to, int byte, uptr size);
void *memcpy(void *to, const void *from, uptr size);
int memcmp(const void *a, const void *b, uptr size);
uptr strlen(const char *text);

/*
 * The number behind NAME= on the kernel command line (decimal, or 0x...), or FALLBACK when the
 * line has no such word. Words are separated by single or several spaces.
 */
u64 cmdline_number(const char *name, u64 fallback);

/* Whether WORD is one of the words of the kernel command line. */
bool cmdline_has(const char *word);

#endif
