/* SPDX-License-Identifier: BSD-2-Clause */
/* A map of guest memory, for tests. */
#include "tests/lib/mem_map.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

int mem_map_setup(void **state)
{
	struct guest_mem *mem;

	assert_int_equal(mem_create(&mem), 0);
	/* Not in order of address. */
	assert_int_equal(mem_add(mem, gpa(far), PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(next), 2 * PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(low), 4 * PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(hole), PAGE, MEM_HOLE), 0);
	assert_int_equal(mem_add(mem, gpa(rom), PAGE, MEM_READONLY), 0);
	*state = mem;
	return 0;
}

int mem_map_teardown(void **state)
{
	mem_destroy((struct guest_mem *)*state);
	return 0;
}

void mem_pattern(uint8_t *buf, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(seed + i * 7 + i / 251);
}
