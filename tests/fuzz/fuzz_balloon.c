/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-balloon with a driver made of the input: only pages of RAM go, and what was given back is counted. */
#include "tests/fuzz/dev_fuzz.h"
#include "virtio/devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Config space written by the driver, looked at by the machine, and another target. */
static void own(struct fuzz_bench *b, struct fuzz_input *in)
{
	struct virtio_balloon_info info;
	uint64_t what = fuzz_byte(in);
	size_t len = fuzz_byte(in) % 16;
	const uint8_t *bytes = fuzz_bytes(in, &len);

	virtio_config_write(b->dev, what & 31, bytes, len);
	if (what & 32)
		(void)virtio_balloon_set(b->dev, what << 10);
	if (what & 64) {
		virtio_balloon_look(b->dev, &info);
		fuzz_expect(info.actual <= FUZZ_RAM && info.target <= FUZZ_RAM);
		fuzz_expect(info.inflated % 4096 == 0 && info.reported % 4096 == 0);
	}
	fuzz_settle(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bench b;

	fuzz_open(&b);
	/* What no page of a balloon may be, right behind RAM. */
	fuzz_expect(mem_add(b.mem, gpa(FUZZ_RAM), 0x10000, MEM_REGISTERS) == 0);
	*(uint8_t *)mem_registers(b.mem, gpa(FUZZ_RAM)) = 0x5a;
	fuzz_expect(virtio_balloon_create(b.mem, b.loop, &b.dev) == 0);
	fuzz_run(&b, data, size, own);
	fuzz_expect(*(uint8_t *)mem_registers(b.mem, gpa(FUZZ_RAM)) == 0x5a);
	virtio_dev_destroy(b.dev);
	fuzz_close(&b);
	return 0;
}
