/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-pmem with a driver made of the input: no chain stays behind. */
#include "tests/fuzz/dev_fuzz.h"
#include "virtio/devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bench b;

	fuzz_open(&b);
	fuzz_expect(virtio_pmem_create(UINT64_C(1) << 32, 1 << 21, 0, b.mem, b.loop, &b.dev) == 0);
	fuzz_run(&b, data, size, NULL);
	fuzz_expect(b.dev->queues[0].in_flight == 0 || b.dev->queues[0].broken);
	virtio_dev_destroy(b.dev);
	fuzz_close(&b);
	return 0;
}
