/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a kernel file. To get past the first look, the marks of a bzImage are put in when the
 * first byte is odd; then the header's fields are what is tried.
 */
#include "tests/fuzz/x86/load_any.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	require(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	if (size >= 0x206 && data[0] % 2) {
		copy[0x1fe] = 0x55;
		copy[0x1ff] = 0xaa;
		memcpy(copy + 0x202, "HdrS", 4);
	}
	load_any(copy, size);
	free(copy);
	return 0;
}
