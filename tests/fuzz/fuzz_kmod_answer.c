/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the process that looks into modules answers, when it is in the hands of who made a module: any bytes
 * in the memory that it shares with hvrun, and any bytes, or none, on its socket. A module is of the size that was
 * said, and within what was shared; its list of words ends.
 *
 * The input: how many bytes come on the socket (1 byte, the low 3 bits), these, the size (8; as it is if the first byte's
 * highest bit is set, else small), the list of words.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What is looked at is not for others: its file is a part of this one. */
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "vm/exec/kmod_read.c"

enum { HEAD = 16, SMALL = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct exchange *share(void)
{
	struct exchange *x = mmap(NULL, sizeof(*x), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(x != MAP_FAILED);
	return x;
}

static void check(const struct kmod_file *file, size_t said)
{
	must(file->data && file->size == said && said > 0 && said <= UNPACK_MODULE_MAX);
	must(memchr(file->depends, '\0', sizeof(file->depends)));
	/* ASan looks whether it is all there. */
	must(memchr(file->data, 0x55, file->size) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct exchange *x; /* once: it is large */
	struct kmod_reader reader = { .pid = -1 };
	struct kmod_file file = { .data = NULL };
	uint64_t said;
	int ends[2];
	int r;

	if (size < HEAD)
		return 0;
	if (!x)
		x = share();
	memcpy(&said, data + 8, sizeof(said));
	x->plain = data[0] & 0x80 ? said : said % SMALL;
	memset(x->depends, 'x', sizeof(x->depends));
	memcpy(x->depends, data + HEAD, size_min(size - HEAD, sizeof(x->depends)));
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	must(write_full(ends[1], data + 1, data[0] & 7) == 0 && shutdown(ends[1], SHUT_WR) == 0);
	reader.socket = ends[0];
	reader.shared = x;
	r = kmod_read(&reader, "/dev/null", &file);
	must(r <= 0 && r >= -4095);
	if (r == 0)
		check(&file, x->plain);
	kmod_file_free(&file);
	close(ends[0]);
	close(ends[1]);
	return 0;
}
