/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-blk on the bench over a real file. */
#include "tests/lib/blk_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/le.h"
#include "virtio/devices.h"
#include "virtio/io_uring.h"

/* How the devices of this group do their I/O. */
static bool by_ring;

void blk_rig_open(struct blk_rig *b, unsigned threads, bool readonly, const char *serial)
{
	struct virtio_blk_config config = { .serial = serial, .threads = threads };
	int fd = image_file(SECTORS * 512);

	config.io_uring = by_ring && threads > 0;
	rig_init(&b->rig);
	b->fd = dup(fd);
	assert_int_equal(disk_open_raw(fd, "dir/test.img", readonly, false, &config.disk), 0);
	assert_int_equal(virtio_blk_create(&config, 0, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
}

void blk_rig_open_default(struct blk_rig *b)
{
	blk_rig_open(b, 2, false, NULL);
	rig_start(&b->rig, F_ALL, 1);
}

void blk_rig_close(struct blk_rig *b)
{
	rig_fini(&b->rig);
	(void)close(b->fd);
}

void blk_rig_header(struct blk_rig *b, uint32_t type, uint64_t sector)
{
	uint8_t *h = rig_at(&b->rig, HEADER);

	le32_store(h, type);
	le32_store(h + 4, 0xdeadbeef); /* reserved: of no meaning */
	le64_store(h + 8, sector);
	*rig_at(&b->rig, STATUS) = S_NONE;
}

uint8_t blk_rig_request(struct blk_rig *b, uint32_t type, uint64_t sector, uint32_t len,
			bool to_guest, uint32_t *used)
{
	struct dr_buf bufs[] = {
		{ HEADER, 16, false },
		{ type == T_DISCARD || type == T_ZEROES ? RANGES : DATA, len, to_guest },
		{ STATUS, 1, true },
	};
	uint32_t n;

	blk_rig_header(b, type, sector);
	n = rig_do(&b->rig, 0, bufs, 3);
	if (used)
		*used = n;
	return *rig_at(&b->rig, STATUS);
}

void blk_rig_file(struct blk_rig *b, uint64_t off, void *to, size_t len)
{
	assert_int_equal(pread(b->fd, to, len, (off_t)off), len);
}

bool blk_rig_untouched(struct blk_rig *b)
{
	uint8_t *bytes = malloc(SECTORS * 512);
	bool same = true;

	blk_rig_file(b, 0, bytes, SECTORS * 512);
	for (uint64_t i = 0; i < SECTORS * 512; i++)
		same = same && bytes[i] == image_byte(i);
	free(bytes);
	return same;
}

void blk_rig_range(struct blk_rig *b, unsigned i, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	uint8_t *r = rig_at(&b->rig, RANGES + i * 16);

	le64_store(r, sector);
	le32_store(r + 8, sectors);
	le32_store(r + 12, flags);
}

bool blk_rig_use_io_uring(const char *name)
{
	struct io_ring *ring = NULL;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	by_ring = io_ring_create(fd, 1, &ring) == 0;
	io_ring_destroy(ring);
	(void)close(fd);
	if (!by_ring)
		(void)printf("skip %s: the host has none\n", name);
	return by_ring;
}
