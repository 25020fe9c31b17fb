/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console and two named ports with a driver made of the input, which types too: pieces of output are small, what
 * is typed is taken or refused and never more than offered, no kick takes for ever.
 */
#include "base/checked.h"
#include "tests/fuzz/dev_fuzz.h"
#include "virtio/devices.h"

enum { PORTS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t print(void *opaque, const void *data, size_t len)
{
	uint64_t *sum = opaque;

	fuzz_expect(len > 0 && len <= 4096);
	for (size_t i = 0; i < len; i++)
		*sum += ((const uint8_t *)data)[i];
	return *sum % 5 ? len : len / 2; /* a host that is slow now and then */
}

static void type(struct fuzz_bench *b, struct fuzz_input *in)
{
	static const uint8_t text[6000];
	uint8_t what = fuzz_byte(in);
	size_t len = (size_t)fuzz_byte(in) * 24;
	unsigned port = what / 8 % PORTS;

	if (what & 1) {
		len = size_min(len, sizeof(text));
		fuzz_expect(virtio_console_input(b->dev, port, text, len) <= len);
	} else if (what & 2) {
		virtio_console_resize(b->dev, what, (uint16_t)len);
	} else if (what & 4) {
		virtio_console_connect(b->dev, port, len > 1000);
		virtio_console_output_ready(b->dev, port);
	} else {
		virtio_config_write(b->dev, len, text, 1 + what / 8 % 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bench b;
	uint64_t sum[PORTS] = { 0 };
	const struct virtio_console_port ports[PORTS] = {
		{ .out = print, .opaque = &sum[0] },
		{ .name = "one", .out = print, .room = NULL, .opaque = &sum[1] },
		{ .name = "two", .out = print, .opaque = &sum[2] },
	};

	fuzz_open(&b);
	fuzz_expect(virtio_console_create(ports, PORTS, b.mem, b.loop, &b.dev) == 0);
	fuzz_run(&b, data, size, type);
	virtio_dev_destroy(b.dev);
	fuzz_close(&b);
	return 0;
}
