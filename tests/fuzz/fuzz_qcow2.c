/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any header as that of a qcow2 image: accepted only if it names no file but the one that the user named
 * (threat 22), by a second, simpler reading of the same bytes.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vm/daemon/qcow2.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool any(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i])
			return true;
	}
	return false;
}

static void judge(const uint8_t *header, size_t len, bool backing)
{
	const char *why = qcow2_judge(header, len, backing);
	bool version_3;

	if (why) {
		require(*why != '\0');
		return;
	}
	require(len >= 80 && memcmp(header, "QFI\xfb\0\0\0", 7) == 0);
	version_3 = header[7] == 3;
	require(version_3 || header[7] == 2);
	require(any(header + 8, 8) == backing);
	require(!version_3 || !(header[79] & 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1); /* of its own size, for the sanitizer */

	require(exact != NULL);
	if (size)
		memcpy(exact, data, size);
	judge(exact, size, false);
	judge(exact, size, true);
	free(exact);
	return 0;
}
