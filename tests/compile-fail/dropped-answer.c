/* SPDX-License-Identifier: BSD-2-Clause */
/* compilers: gcc clang */
/* expect: unused-result */
#include "base/checked.h"

uint64_t dropped_answer(uint64_t a);
uint64_t dropped_answer(uint64_t a)
{
	uint64_t sum = 0;

	u64_add(a, a, &sum);
	return sum;
}
