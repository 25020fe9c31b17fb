/* SPDX-License-Identifier: BSD-2-Clause */
/* A map of guest memory with all that a map can have, for tests of mm/. */
#ifndef TESTS_LIB_MEM_MAP_H
#define TESTS_LIB_MEM_MAP_H

#include "mm/memory.h"

enum {
	PAGE = 4096,
	HUGE = 2 * 1024 * 1024,
};

/*
 * The map, in pages from 0x10000:
 *	0..3	RAM "low"
 *	4..5	RAM "next", adjacent
 *	6	read-only, adjacent
 *	7	hole, adjacent
 *	8	nothing
 *	9	RAM "far"
 */
static const uint64_t low = 0x10000, next = 0x14000, rom = 0x16000, hole = 0x17000, none = 0x18000,
		      far = 0x19000, far_end = 0x1a000;

/* A cmocka test's: makes it in *@state, and destroys it. */
int mem_map_setup(void **state);
int mem_map_teardown(void **state);

/* Bytes that differ from their neighbours and from other seeds. */
void mem_pattern(uint8_t *buf, size_t len, unsigned int seed);

#endif
