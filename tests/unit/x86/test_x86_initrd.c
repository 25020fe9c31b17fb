/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/load.c: the initrd's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/x86/images.h"

static void assert_initrd(struct guest_mem *mem, struct kernel_file image, uint64_t size,
			  uint64_t expect)
{
	struct x86_boot boot;
	gpa_t at = gpa(1);

	load(mem, image, &boot);
	assert_int_equal(x86_place_initrd(mem, &image, &boot, size, &at), 0);
	assert_int_equal(at.v, expect);
}

static void test_initrd_place(void **state)
{
	struct guest_mem *mem = ram(64 * MIB);

	(void)state;
	assert_initrd(mem, bzimage(), 0, 0);
	assert_initrd(mem, bzimage(), 1, 64 * MIB - 4096);
	assert_initrd(mem, bzimage(), 4096, 64 * MIB - 4096);
	assert_initrd(mem, bzimage(), 4097, 64 * MIB - 8192);
	/* down to the end of what the kernel needs, and no further */
	assert_initrd(mem, bzimage(), 44 * MIB, 20 * MIB);
	assert_initrd(mem, elf(), 61 * MIB, 3 * MIB);
	assert_initrd(mem, pvh_elf(MIB), 16, 64 * MIB - 4096);
	mem_destroy(mem);

	/* The kernel's own limit, which need not be at the end of a page. */
	mem = ram(64 * MIB);
	{
		struct kernel_file image = bzimage();

		le32_store(image_bytes + 0x22c, 0x2ffffff);
		assert_initrd(mem, image, 4096, 0x2fff000);
		le32_store(image_bytes + 0x22c, 0x2fff7ff);
		assert_initrd(mem, image, 0x800, 0x2fff000);
		assert_initrd(mem, image, 0x801, 0x2ffe000);
	}
	mem_destroy(mem);
}

/* RAM above what initrd_addr_max or 3 GiB allow is not used. */
static void test_initrd_below_the_limits(void **state)
{
	struct guest_mem *mem = ram(X86_RAM_LOW_END);
	struct kernel_file image = bzimage();

	(void)state;
	assert_int_equal(mem_add(mem, gpa(X86_RAM_HIGH), UINT64_C(1) << 30, MEM_RAM), 0);
	assert_initrd(mem, image, 4096, 0x7ffff000);
	le32_store(image_bytes + 0x22c, UINT32_MAX);
	assert_initrd(mem, image, 4096, X86_RAM_LOW_END - 4096);
	assert_initrd(mem, elf(), 4096, 0x7ffff000);
	mem_destroy(mem);
}

struct placing {
	struct kernel_file image;
	uint64_t size;
};

static void place_initrd(void *arg)
{
	const struct placing *placing = (const struct placing *)arg;
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	gpa_t at;

	load(mem, placing->image, &boot);
	if (x86_place_initrd(mem, &placing->image, &boot, placing->size, &at) != -ENOSPC)
		_exit(9);
	mem_destroy(mem);
}

static void expect_no_place(struct kernel_file image, uint64_t size, const char *words)
{
	struct placing placing = { .image = image, .size = size };
	struct captured out;

	capture_child(&out, place_initrd, &placing);
	assert_int_equal(out.status, 0);
	assert_string_equal(out.text, words);
}

static void test_threat_33_initrd_too_big(void **state)
{
	struct kernel_file image = bzimage();

	(void)state;
	expect_no_place(
		image, 44 * MIB + 1,
		"hvrun: initrd: 45057 KiB do not fit between the kernel's end at 20 MiB and "
		"64 MiB (room for 45056 KiB); give the guest more memory\n");
	expect_no_place(image, UINT64_MAX,
			"hvrun: initrd: 18014398509481984 KiB do not fit between the kernel's end "
			"at 20 MiB and 64 MiB (room for 45056 KiB); give the guest more memory\n");
	le32_store(image_bytes + 0x22c, 0); /* a limit below the kernel */
	expect_no_place(image, 1,
			"hvrun: initrd: 1 KiB do not fit between the kernel's end at 20 MiB and 0 "
			"MiB (room for 0 KiB); give the guest more memory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initrd_place),
		cmocka_unit_test(test_initrd_below_the_limits),
		cmocka_unit_test(test_threat_33_initrd_too_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
