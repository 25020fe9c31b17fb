/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hw/bus: windows, what is refused, and what an access of any place and size reaches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "hw/bus.h"

/* A device that notes the last access and reads as offset + 1, offset + 2, ... */
struct probe {
	unsigned int reads;
	unsigned int writes;
	uint64_t offset;
	size_t len;
	uint8_t data[8];
};

static void probe_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct probe *p = (struct probe *)opaque;

	p->reads++;
	p->offset = offset;
	p->len = len;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)data)[i] = (uint8_t)(offset + i + 1);
}

static void probe_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct probe *p = (struct probe *)opaque;

	p->writes++;
	p->offset = offset;
	p->len = len;
	memcpy(p->data, data, len);
}

static const struct bus_ops probe_ops = { .read = probe_read, .write = probe_write };

static int setup(void **state)
{
	struct bus *bus;

	assert_int_equal(bus_create(&bus), 0);
	*state = bus;
	return 0;
}

static int teardown(void **state)
{
	bus_destroy((struct bus *)*state);
	bus_destroy(NULL);
	return 0;
}

static int add(void *bus, enum bus_space space, uint64_t base, uint64_t size, struct probe *p)
{
	return bus_add((struct bus *)bus, space, base, size, "probe", &probe_ops, p);
}

static void add_refuses(void **state)
{
	static const struct bus_ops half = { .read = probe_read };
	struct probe p = { 0 };

	assert_int_equal(add(*state, BUS_MMIO, 0x1000, 0, &p), -EINVAL);
	assert_int_equal(add(*state, BUS_MMIO, UINT64_MAX, 1, &p), -EINVAL);
	assert_int_equal(add(*state, BUS_MMIO, 0x1000, UINT64_MAX, &p), -EINVAL);
	assert_int_equal(add(*state, BUS_PIO, 0xffff, 2, &p), -EINVAL);
	assert_int_equal(add(*state, BUS_PIO, 0x10000, 1, &p), -EINVAL);
	assert_int_equal(add(*state, BUS_SPACES, 0, 1, &p), -EINVAL);
	assert_int_equal(bus_add((struct bus *)*state, BUS_PIO, 0, 1, "half", &half, &p), -EINVAL);
	assert_int_equal(add(*state, BUS_PIO, 0xffff, 1, &p), 0);
}

static void add_refuses_overlap(void **state)
{
	struct probe p = { 0 };

	assert_int_equal(add(*state, BUS_MMIO, 0x2000, 0x1000, &p), 0);
	assert_int_equal(add(*state, BUS_MMIO, 0x5000, 0x1000, &p), 0);
	assert_int_equal(add(*state, BUS_MMIO, 0x2000, 0x1000, &p), -EEXIST);
	assert_int_equal(add(*state, BUS_MMIO, 0x2fff, 1, &p), -EEXIST);
	assert_int_equal(add(*state, BUS_MMIO, 0x1fff, 2, &p), -EEXIST);
	assert_int_equal(add(*state, BUS_MMIO, 0, 0x10000, &p), -EEXIST);
	assert_int_equal(add(*state, BUS_MMIO, 0x3000, 0x2001, &p), -EEXIST);
	/* Adjacent on both sides; and the other space is another space. */
	assert_int_equal(add(*state, BUS_MMIO, 0x3000, 0x2000, &p), 0);
	assert_int_equal(add(*state, BUS_MMIO, 0x1fff, 1, &p), 0);
	assert_int_equal(add(*state, BUS_PIO, 0x2000, 0x1000, &p), 0);
}

static void add_refuses_too_many(void **state)
{
	struct probe p = { 0 };
	uint64_t n = 0;
	int err;

	while ((err = add(*state, BUS_PIO, 0x8000 - n * 8, 4, &p)) == 0 && n < 1000)
		n++;
	assert_int_equal(err, -ENOSPC);
	assert_true(n >= 40); /* 16 virtio windows and a board fit with ease */
	assert_int_equal(add(*state, BUS_MMIO, 0, 4, &p), 0);
}

/* Many windows, added in a scrambled order: each is found, at both ends, and nothing between. */
static void lookup_finds_each(void **state)
{
	enum { N = 61 };
	struct probe p[N] = { 0 };
	uint8_t byte;

	for (uint64_t i = 0; i < N; i++) {
		const uint64_t at = i * 17 % N;

		assert_int_equal(add(*state, BUS_MMIO, 0x1000 + at * 0x100, 0x80, &p[at]), 0);
	}
	for (uint64_t i = 0; i < N; i++) {
		const uint64_t base = 0x1000 + i * 0x100;

		assert_true(bus_read((struct bus *)*state, BUS_MMIO, base, &byte, 1));
		assert_int_equal(byte, 1);
		assert_true(bus_read((struct bus *)*state, BUS_MMIO, base + 0x7f, &byte, 1));
		assert_int_equal(byte, 0x80);
		assert_int_equal(p[i].reads, 2);
		assert_false(bus_read((struct bus *)*state, BUS_MMIO, base + 0x80, &byte, 1));
		assert_int_equal(byte, 0xff);
		assert_false(bus_read((struct bus *)*state, BUS_MMIO, base - 1, &byte, 1));
		assert_false(bus_read((struct bus *)*state, BUS_PIO, base, &byte, 1));
		assert_int_equal(p[i].reads, 2);
	}
}

static void write_carries_bytes(void **state)
{
	struct probe p = { 0 };
	const uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	assert_int_equal(add(*state, BUS_MMIO, 0xc0000000, 0x1000, &p), 0);
	assert_true(bus_write((struct bus *)*state, BUS_MMIO, 0xc0000ff8, data, 8));
	assert_int_equal(p.offset, 0xff8);
	assert_int_equal(p.len, 8);
	assert_memory_equal(p.data, data, 8);
	assert_false(bus_write((struct bus *)*state, BUS_MMIO, 0xc0001000, data, 1));
	assert_int_equal(p.writes, 1);
}

/* The guard bytes of a buffer around an access of @len bytes. */
static void check_guards(const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(buf[i], 0x5a);
		assert_int_equal(buf[8 + len + i], 0x5a);
	}
}

/*
 * Threat 17: every size from 0 to 16 at every place around and inside two adjacent windows, and
 * around the ends of the address space. An access reaches a device only if it lies whole inside
 * one window; all others read as all ones, write nothing, and stay inside the caller's buffer.
 */
static void test_threat_17_bus_sizes(void **state)
{
	const uint64_t base = 0x3f8, size = 8;
	const uint64_t beyond[] = {
		0xfffe, 0xffff, 0x10000, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX
	};
	struct bus *bus = (struct bus *)*state;
	struct probe p[2] = { 0 };

	assert_int_equal(add(bus, BUS_PIO, base, size, &p[0]), 0);
	assert_int_equal(add(bus, BUS_PIO, base + size, size, &p[1]), 0);
	assert_int_equal(add(bus, BUS_MMIO, base, size, &p[0]), 0);
	assert_int_equal(add(bus, BUS_MMIO, base + size, size, &p[1]), 0);
	for (unsigned int space = 0; space < BUS_SPACES; space++)
		for (uint64_t addr = base - 18; addr < base + 2 * size + 2; addr++)
			for (size_t len = 0; len <= 16; len++) {
				const uint64_t in = addr - base;
				const bool size_ok = space == BUS_MMIO
							     ? len >= 1 && len <= 8
							     : len == 1 || len == 2 || len == 4;
				const bool hit = size_ok && addr >= base && in < 2 * size &&
						 in / size == (in + len - 1) / size;
				struct probe *dev = &p[in / size & 1];
				uint8_t buf[32];

				memset(p, 0, sizeof(p));
				memset(buf, 0x5a, sizeof(buf));
				assert_int_equal(bus_read(bus, (enum bus_space)space, addr, buf + 8,
							  len),
						 hit);
				check_guards(buf, len);
				for (size_t i = 0; i < len; i++)
					assert_int_equal(buf[8 + i],
							 hit ? in % size + i + 1 : 0xff);
				assert_int_equal(p[0].reads + p[1].reads, hit);
				assert_int_equal(bus_write(bus, (enum bus_space)space, addr,
							   buf + 8, len),
						 hit);
				assert_int_equal(p[0].writes + p[1].writes, hit);
				if (hit) {
					assert_int_equal(dev->offset, in % size);
					assert_int_equal(dev->len, len);
				}
			}
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		for (size_t len = 1; len <= 8; len++) {
			uint64_t value = 0;

			assert_false(bus_read(bus, BUS_PIO, beyond[i], &value, len));
			assert_false(bus_read(bus, BUS_MMIO, beyond[i], &value, len));
			assert_true(value == UINT64_MAX >> (64 - 8 * len));
		}
}

#define ON_BUS(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BUS(add_refuses),	      ON_BUS(add_refuses_overlap),
		ON_BUS(add_refuses_too_many), ON_BUS(lookup_finds_each),
		ON_BUS(write_carries_bytes),  ON_BUS(test_threat_17_bus_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
