/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes behind the first 20 of an x86-64 ELF file: headers, segments and notes are tried. */
#include "tests/fuzz/x86/load_any.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t start[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0,  0,
					 0,    0,   0,	 0,   0, 0, 2, 0, 62, 0 };
	uint8_t *copy = malloc(size ? size : 1);

	require(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	if (size >= sizeof(start)) {
		memcpy(copy, start, 12); /* what load_any() takes for itself lies behind */
		memcpy(copy + 16, start + 16, 4);
	}
	load_any(copy, size);
	free(copy);
	return 0;
}
