/* SPDX-License-Identifier: BSD-2-Clause */
/* The device tree that the host made, for the architectures that have one. */
#ifndef GUESTS_LIB_FDT_H
#define GUESTS_LIB_FDT_H

#include "lib/types.h"

/* TREE is judged as far as we read it. */
void fdt_init(const u8 *tree);
/* Node number N whose name begins with PREFIX, anywhere; NULL when there is none. */
const u8 *fdt_node(const char *prefix, u32 n);
/* A property of that node itself; NULL when it has none. */
const u8 *fdt_prop(const u8 *node, const char *name, u32 *len);
u32 fdt_u32(const u8 *at);
u64 fdt_u64(const u8 *at);

#endif
