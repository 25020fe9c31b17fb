/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/dt/image.c: Images good and bad, and the places of initrd and tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "arch/dt/image.h"
#include "base/checked.h"
#include "base/le.h"

#define RAM UINT64_C(0x80000000)
#define MIB (UINT64_C(1) << 20)

enum { FILE_SIZE = 20000 };

static uint8_t file[FILE_SIZE];

static struct kernel_file image(uint64_t text_offset, uint64_t image_size)
{
	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 7 + 1);
	le64_store(file + 8, text_offset);
	le64_store(file + 16, image_size);
	le64_store(file + 24, 10);
	memcpy(file + 56, "ARMd", 4);
	return (struct kernel_file){ file, sizeof(file), "Image" };
}

static struct guest_mem *ram(uint64_t size)
{
	struct guest_mem *mem;

	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add(mem, gpa(RAM), size, MEM_RAM), 0);
	return mem;
}

static void marks(void **state)
{
	struct kernel_file kernel = image(0, 0);

	(void)state;
	assert_true(dt_is_image(&kernel, "ARM\x64"));
	assert_false(dt_is_image(&kernel, "RSC\x05"));
	kernel.size = 63;
	assert_false(dt_is_image(&kernel, "ARM\x64"));
	kernel.size = 0;
	assert_false(dt_is_image(&kernel, "ARM\x64"));
}

static void loads(void **state)
{
	struct guest_mem *mem = ram(64 * MIB);
	struct kernel_file kernel = image(0x80000, MIB);
	struct dt_boot boot;
	static uint8_t back[FILE_SIZE];
	gpa_t at;

	(void)state;
	assert_int_equal(dt_load_image(mem, RAM, &kernel, &boot), 0);
	assert_int_equal(boot.entry, RAM + 0x80000);
	assert_int_equal(boot.end, RAM + 0x80000 + MIB);
	assert_int_equal(mem_read(mem, gpa(boot.entry), back, sizeof(back)), 0);
	assert_memory_equal(back, file, sizeof(file));
	assert_true(dt_image_hint(mem, RAM, "ARM\x64", file, 64, sizeof(file), &at));
	assert_int_equal(at.v, boot.entry);

	/* A size smaller than the file; none at all (old kernels, at a fixed offset). */
	kernel = image(0, 100);
	assert_int_equal(dt_load_image(mem, RAM, &kernel, &boot), 0);
	assert_int_equal(boot.end, RAM + FILE_SIZE);
	kernel = image(0x1000, 0);
	assert_int_equal(dt_load_image(mem, RAM, &kernel, &boot), 0);
	assert_int_equal(boot.entry, RAM + 0x80000);
	assert_false(dt_image_hint(mem, RAM, "ARM\x64", file, 64, sizeof(file), &at));
	mem_destroy(mem);
}

/* Each refused with its reason, and nothing is written. */
static void refusals(void **state)
{
	static const struct {
		uint64_t text_offset, image_size, flags;
		int r;
	} bad[] = {
		{ 0, MIB, 1, -ENOEXEC },		  /* big-endian */
		{ 0x801, MIB, 0, -ENOEXEC },		  /* not at a page */
		{ UINT64_MAX - 0xfff, MIB, 0, -ENOEXEC }, /* wraps */
		{ UINT64_C(1) << 63, UINT64_C(1) << 63, 0, -ENOEXEC },
		{ 0, UINT64_MAX, 0, -ENOEXEC },
		{ 0, 64 * MIB + 1, 0, -ENOSPC },
		{ 64 * MIB, MIB, 0, -ENOSPC },
		{ UINT64_C(1) << 40, MIB, 0, -ENOSPC },
	};
	struct guest_mem *mem = ram(64 * MIB);
	struct dt_boot boot;
	uint8_t byte;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kernel_file kernel = image(bad[i].text_offset, bad[i].image_size);

		le64_store(file + 24, bad[i].flags);
		assert_int_equal(dt_load_image(mem, RAM, &kernel, &boot), bad[i].r);
	}
	assert_int_equal(mem_read(mem, gpa(RAM), &byte, 1), 0);
	assert_int_equal(byte, 0);
	mem_destroy(mem);
}

static void places(void **state)
{
	struct guest_mem *mem = ram(64 * MIB);
	struct dt_boot boot = { .entry = RAM, .end = RAM + 20 * MIB };

	(void)state;
	assert_int_equal(dt_place(mem, RAM, 5000, &boot), 0);
	assert_int_equal(boot.tree, RAM + 62 * MIB);
	assert_int_equal(boot.initrd, RAM + 62 * MIB - 8192);
	assert_int_equal(dt_place(mem, RAM, 0, &boot), 0);
	assert_int_equal(boot.initrd, boot.tree);
	/* All that is between kernel and tree, and one byte more. */
	assert_int_equal(dt_place(mem, RAM, 42 * MIB, &boot), 0);
	assert_int_equal(boot.initrd, boot.end);
	assert_int_equal(dt_place(mem, RAM, 42 * MIB + 1, &boot), -ENOSPC);
	assert_int_equal(dt_place(mem, RAM, UINT64_MAX, &boot), -ENOSPC);
	boot.end = RAM + 62 * MIB;
	assert_int_equal(dt_place(mem, RAM, 0, &boot), 0);
	boot.end++;
	assert_int_equal(dt_place(mem, RAM, 0, &boot), -ENOSPC);
	mem_destroy(mem);

	/* Not above the first GiB. */
	mem = ram(2048 * MIB);
	boot.end = RAM + MIB;
	assert_int_equal(dt_place(mem, RAM, 4096, &boot), 0);
	assert_int_equal(boot.tree, RAM + 1022 * MIB);
	mem_destroy(mem);

	/* Hardly any RAM. */
	mem = ram(4096);
	boot.end = RAM;
	assert_int_equal(dt_place(mem, RAM, 0, &boot), -ENOSPC);
	mem_destroy(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks),
		cmocka_unit_test(loads),
		cmocka_unit_test(refusals),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
