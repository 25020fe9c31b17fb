/* SPDX-License-Identifier: BSD-2-Clause */
/* Any file as --symbols: its first eight bytes are the address that is looked for. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/le.h"
#include "vm/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void find(const struct symbols *symbols, uint64_t address)
{
	struct symbols_place place;

	if (symbols_find(symbols, address, &place) != 0)
		return;
	must(memchr(place.name, '\0', sizeof(place.name)) != NULL && place.offset <= address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symbols symbols;
	const char *why = NULL;
	int fd;
	int r;

	if (size < 8)
		return 0;
	fd = memfd_create("fuzz", 0);
	must(fd >= 0 && write(fd, data + 8, size - 8) == (ssize_t)(size - 8));
	r = symbols_read(fd, size - 8, &symbols, &why);
	close(fd);
	must(r == 0 || r == -ENOMEM || (r == -ENOEXEC && why));
	if (r)
		return 0;
	find(&symbols, le64_load(data));
	find(&symbols, UINT64_MAX);
	symbols_release(&symbols);
	return 0;
}
