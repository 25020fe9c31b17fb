/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest physical address: a type of its own, neither a pointer nor an integer. */
#ifndef MM_GPA_H
#define MM_GPA_H

#include <stdint.h>

/*
 * An address as the guest sees it, before any of its page tables. It cannot be dereferenced and
 * does not mix with integers by accident; only mm/ turns it into bytes of ours.
 */
typedef struct {
	uint64_t v;
} gpa_t;

/* The address with value @v, in bytes. Any value is allowed: accessors judge it. */
static inline gpa_t gpa(uint64_t v)
{
	return (gpa_t){ v };
}

/* @a moved by @bytes, wrapping at 2^64 as the hardware would; accessors refuse what wraps. */
static inline gpa_t gpa_add(gpa_t a, uint64_t bytes)
{
	return (gpa_t){ a.v + bytes };
}

#endif
