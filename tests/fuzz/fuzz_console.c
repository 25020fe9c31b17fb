/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console with a driver made of the input, which types too: pieces of output are small, what
 * is typed is taken or refused and never more than offered, no kick takes for ever.
 */
#include "base/checked.h"
#include "tests/fuzz/dev_fuzz.h"
#include "virtio/devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(void *opaque, const void *data, size_t len)
{
	uint64_t *sum = opaque;

	fuzz_expect(len > 0 && len <= 4096);
	for (size_t i = 0; i < len; i++)
		*sum += ((const uint8_t *)data)[i];
}

/* There is room now: more is typed, once a call. */
static void room(void *opaque)
{
	struct fuzz_bench *b = opaque;

	fuzz_expect(virtio_console_input(b->dev, "more", 4) <= 4);
}

static void type(struct fuzz_bench *b, struct fuzz_input *in)
{
	static const uint8_t text[6000];
	uint8_t what = fuzz_byte(in);
	size_t len = (size_t)fuzz_byte(in) * 24;

	if (what & 1) {
		len = size_min(len, sizeof(text));
		fuzz_expect(virtio_console_input(b->dev, text, len) <= len);
	} else if (what & 2) {
		virtio_console_resize(b->dev, what, (uint16_t)len);
	} else {
		virtio_config_write(b->dev, len, text, 1 + what / 4 % 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bench b;
	uint64_t sum = 0;

	fuzz_open(&b);
	fuzz_expect(virtio_console_create(print, &sum, b.mem, b.loop, &b.dev) == 0);
	virtio_console_on_room(b.dev, room, &b);
	fuzz_run(&b, data, size, type);
	virtio_dev_destroy(b.dev);
	fuzz_close(&b);
	return 0;
}
