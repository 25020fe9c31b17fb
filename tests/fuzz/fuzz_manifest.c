/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a boot manifest: what is read, written again, is the same bytes; names stay inside. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vm/signed/manifest.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void judge(const struct manifest *m)
{
	require(manifest_name_ok(m->kernel.name));
	require(!*m->initrd.name || manifest_name_ok(m->initrd.name));
	require(m->disk_count <= VM_MAX_DISKS);
	require(strnlen(m->cmdline, sizeof(m->cmdline)) < sizeof(m->cmdline));
	for (size_t i = 0; i < m->disk_count; i++) {
		const struct manifest_disk *disk = &m->disks[i];

		require(manifest_name_ok(disk->name));
		if (disk->kind == MANIFEST_VERITY)
			require(manifest_name_ok(disk->hash_name) &&
				(disk->root_len == 32 || disk->root_len == 64));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest *m = malloc(sizeof(*m));
	char *text = malloc(MANIFEST_MAX);
	uint8_t *exact = malloc(size ? size : 1); /* of its own size, for the sanitizer */
	int r;

	require(m && text && exact);
	if (size)
		memcpy(exact, data, size);
	r = manifest_parse("fuzz", exact, size, m);
	require(r == 0 || r == -ENOEXEC);
	if (!r) {
		judge(m);
		require(manifest_write(m, text, MANIFEST_MAX) == (int)size);
		require(memcmp(text, data, size) == 0);
		require(size < 2 || manifest_write(m, text, size) == -ENOSPC);
	}
	free(exact);
	free(text);
	free(m);
	return 0;
}
