/* SPDX-License-Identifier: BSD-2-Clause */
/* The few types and helpers that every guest uses; guests include no header of the host. */
#ifndef GUESTS_LIB_TYPES_H
#define GUESTS_LIB_TYPES_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long uptr;

#define NULL	      ((void *)0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

_Static_assert(sizeof(u64) == 8 && sizeof(u32) == 4 && sizeof(u16) == 2, "sizes of types");
_Static_assert(sizeof(uptr) == sizeof(void *), "uptr holds an address");

enum { false, true };
typedef _Bool bool;

#endif
