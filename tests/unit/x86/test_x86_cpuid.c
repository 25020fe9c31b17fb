/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/cpuid: topology and features as a guest's kernel reads them, for many sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "arch/x86/cpuid.h"
#include "base/checked.h"

static const struct kvm_cpuid_entry2 host_like[] = {
	{ .function = 0, .eax = 0x1f },
	{ .function = 1, .ebx = 0xaa223344, .ecx = 0x00000001, .edx = 0x0fffffff },
	{ .function = 4, .index = 0, .eax = 0xfc004121 },
	{ .function = 4, .index = 3, .eax = 0xfc1fc163 },
	{ .function = 4, .index = 4, .eax = 0 },
	{ .function = 0xb, .index = 0, .eax = 9, .ebx = 9, .ecx = 9, .edx = 9 },
	{ .function = 0xb, .index = 1, .eax = 9, .ebx = 9, .ecx = 9, .edx = 9 },
	{ .function = 0xb, .index = 2, .eax = 9, .ebx = 9, .ecx = 9, .edx = 9 },
	{ .function = 0x80000008, .eax = 0x3030, .ecx = 0xffff },
	{ .function = 0x8000001d, .index = 3, .eax = 0x03ffc163 },
	{ .function = 0x8000001e, .eax = 77, .ebx = 0x1ff, .ecx = 7 },
};

static struct kvm_cpuid2 *copy_list(void)
{
	struct kvm_cpuid2 *list = calloc(1, sizeof(*list) + sizeof(host_like));

	assert_non_null(list);
	list->nent = ARRAY_SIZE(host_like);
	memcpy(list->entries, host_like, sizeof(host_like));
	return list;
}

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *list, uint32_t function,
					   uint32_t index)
{
	for (uint32_t i = 0; i < list->nent; i++) {
		if (list->entries[i].function == function && list->entries[i].index == index)
			return &list->entries[i];
	}
	fail();
	return NULL;
}

static void test_features(void **state)
{
	struct kvm_cpuid2 *list = copy_list();

	(void)state;
	x86_cpuid_edit(list, 3, 4, true);
	assert_int_equal(leaf(list, 1, 0)->ebx, 0x03043344); /* APIC id, ids in the package */
	assert_int_equal(leaf(list, 1, 0)->ecx, 0x81000001); /* hypervisor, TSC deadline */
	assert_int_equal(leaf(list, 1, 0)->edx, 0x1fffffff); /* HTT */
	x86_cpuid_edit(list, 0, 1, false);
	assert_int_equal(leaf(list, 1, 0)->ebx, 0x00013344);
	assert_int_equal(leaf(list, 1, 0)->ecx, 0x80000001);
	assert_int_equal(leaf(list, 1, 0)->edx, 0x0fffffff);
	free(list);
}

static void test_topology_levels(void **state)
{
	struct kvm_cpuid2 *list = copy_list();

	(void)state;
	x86_cpuid_edit(list, 5, 6, true);
	assert_int_equal(leaf(list, 0xb, 0)->eax, 0);
	assert_int_equal(leaf(list, 0xb, 0)->ebx, 1);
	assert_int_equal(leaf(list, 0xb, 0)->ecx, 0x100);
	assert_int_equal(leaf(list, 0xb, 0)->edx, 5);
	assert_int_equal(leaf(list, 0xb, 1)->eax, 3); /* 6 cores need 3 bits */
	assert_int_equal(leaf(list, 0xb, 1)->ebx, 6);
	assert_int_equal(leaf(list, 0xb, 1)->ecx, 0x201);
	assert_int_equal(leaf(list, 0xb, 2)->ebx, 0); /* the level after the last one is empty */
	assert_int_equal(leaf(list, 0xb, 2)->ecx, 2);
	free(list);
}

static void test_caches(void **state)
{
	struct kvm_cpuid2 *list = copy_list();

	(void)state;
	x86_cpuid_edit(list, 0, 4, true);
	/* First level: one thread shares it, four cores in the package. */
	assert_int_equal(leaf(list, 4, 0)->eax, 0x0c000121);
	/* Last level: all four share it. */
	assert_int_equal(leaf(list, 4, 3)->eax, 0x0c00c163);
	assert_int_equal(leaf(list, 4, 4)->eax, 0);
	assert_int_equal(leaf(list, 0x8000001d, 3)->eax, 0x0000c163);
	free(list);
}

static void test_amd(void **state)
{
	struct kvm_cpuid2 *list = copy_list();

	(void)state;
	x86_cpuid_edit(list, 2, 32, true);
	assert_int_equal(leaf(list, 0x80000008, 0)->ecx, 0x5f1f);
	assert_int_equal(leaf(list, 0x8000001e, 0)->eax, 2);
	assert_int_equal(leaf(list, 0x8000001e, 0)->ebx, 2);
	assert_int_equal(leaf(list, 0x8000001e, 0)->ecx, 0);
	free(list);
}

/* Editing for one vCPU after another gives what editing a fresh list gives. */
static void test_edit_again(void **state)
{
	struct kvm_cpuid2 *reused = copy_list();

	(void)state;
	for (unsigned index = 0; index < 32; index++) {
		struct kvm_cpuid2 *fresh = copy_list();

		x86_cpuid_edit(reused, index, 32, true);
		x86_cpuid_edit(fresh, index, 32, true);
		assert_memory_equal(reused->entries, fresh->entries, sizeof(host_like));
		free(fresh);
	}
	free(reused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features),   cmocka_unit_test(test_topology_levels),
		cmocka_unit_test(test_caches),	   cmocka_unit_test(test_amd),
		cmocka_unit_test(test_edit_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
