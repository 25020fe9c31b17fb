/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a kernel module: what it needs is a word that ends inside it, or it is none. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/exec/kmod_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1); /* of its own size, for the sanitizer */
	const char *words;

	if (!exact)
		abort();
	if (size)
		memcpy(exact, data, size);
	words = kmod_depends(exact, size);
	if (words && strlen(words) >= (size ? size : 1))
		abort();
	free(exact);
	return 0;
}
