/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-pmem: where the memory lies, and requests of every shape, each answered once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/le.h"
#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"

static const uint64_t start = UINT64_C(5) << 30;
static const uint64_t size = UINT64_C(6) << 20;

static void open_bench(struct dev_rig *rig, unsigned ring_size)
{
	rig_init(rig);
	rig->ring_size = ring_size;
	assert_int_equal(virtio_pmem_create(start, size, 0, rig->mem, rig->loop, &rig->dev), 0);
	rig_start(rig, VIRTIO_F_EVENT_IDX, 1);
}

/* A request of @out bytes whose type is @type, with room for @in bytes of answer: the used length. */
static uint32_t ask(struct dev_rig *rig, uint32_t type, uint32_t out, uint32_t in)
{
	const struct dr_buf bufs[] = { { RIG_DATA, out, false }, { RIG_DATA + 64, in, true } };

	le32_store(rig_at(rig, RIG_DATA), type);
	memset(rig_at(rig, RIG_DATA + 64), 0x5a, 64);
	return rig_do(rig, 0, bufs, 2);
}

static void identity(void **state)
{
	struct dev_rig rig;
	uint8_t config[24];

	(void)state;
	open_bench(&rig, 64);
	assert_int_equal(rig.dev->type->id, 27);
	virtio_config_read(rig.dev, 0, config, sizeof(config));
	assert_true(le64_load(config) == start && le64_load(config + 8) == size);
	assert_true(le64_load(config + 16) == UINT64_MAX);
	virtio_config_write(rig.dev, 0, config + 16, 8);
	virtio_config_read(rig.dev, 0, config, 8);
	assert_true(le64_load(config) == start);
	rig_fini(&rig);
}

static void flushes(void **state)
{
	struct dev_rig rig;

	(void)state;
	for (unsigned ring = 2; ring <= 64; ring *= 2) {
		open_bench(&rig, ring);
		for (unsigned i = 0; i < 200; i++) {
			assert_int_equal(ask(&rig, 0, 4, 4), 4);
			assert_int_equal(le32_load(rig_at(&rig, RIG_DATA + 64)), 0);
		}
		/* A reset with a request in the ring, then again. */
		rig_offer(&rig, 0, 0, &(struct dr_buf){ RIG_DATA, 4, false }, 1);
		rig_start(&rig, 0, 1);
		assert_int_equal(ask(&rig, 0, 4, 4), 4);
		rig_fini(&rig);
	}
}

/* Rows 5 and 26: requests of other types and sizes fail, and nothing behind their answer is written. */
static void test_threat_05_26_requests(void **state)
{
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, 64);
	for (uint32_t out = 0; out < 8; out++) {
		for (uint32_t in = 0; in < 8; in++) {
			for (uint32_t type = 0; type < 3; type++) {
				const uint8_t *answer = rig_at(&rig, RIG_DATA + 64);
				uint32_t want = in < 4 ? in : 4;

				assert_int_equal(ask(&rig, type, out, in), want);
				if (want == 4)
					assert_int_equal(le32_load(answer),
							 type || out < 4 ? UINT32_MAX : 0);
				assert_int_equal(answer[want], 0x5a);
			}
		}
	}
	assert_false(rig_broken(&rig));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(flushes),
		cmocka_unit_test(test_threat_05_26_requests),
	};

	return cmocka_run_group_tests_name("pmem", tests, NULL, NULL);
}
