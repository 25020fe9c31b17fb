/* SPDX-License-Identifier: BSD-2-Clause */
/* compilers: gcc clang */
/* expect: ARRAY_SIZE of a pointer */
#include "base/checked.h"

size_t array_size_of_pointer(const int *p);
size_t array_size_of_pointer(const int *p)
{
	return ARRAY_SIZE(p);
}
