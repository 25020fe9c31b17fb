/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/riscv/walk and step: page tables, honest and hostile; where instructions lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "arch/riscv/step.h"
#include "arch/riscv/walk.h"
#include "base/checked.h"

#define RAM UINT64_C(0x80000000)

enum {
	RAM_SIZE = 0x100000,
	NEXT = 1, /* valid */
	LEAF = 0xf,
};

static struct guest_mem *mem;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	return mem_add(mem, gpa(RAM), RAM_SIZE, MEM_RAM);
}

static int teardown(void **state)
{
	(void)state;
	mem_destroy(mem);
	return 0;
}

static void put(uint64_t table, unsigned index, uint64_t at, uint64_t flags)
{
	assert_int_equal(mem_store64(mem, gpa(table + 8 * (uint64_t)index), at >> 2 | flags), 0);
}

static uint64_t satp(unsigned mode, uint64_t table)
{
	return (uint64_t)mode << 60 | UINT64_C(5) << 44 | table >> 12;
}

static void expect(uint64_t reg, uint64_t address, uint64_t at, uint64_t left)
{
	struct arch_place place = { gpa(1), 1 };

	assert_int_equal(riscv_walk(mem, reg, address, &place), 0);
	assert_int_equal(place.at.v, at);
	assert_int_equal(place.left, left);
}

static void refuse(uint64_t reg, uint64_t address)
{
	struct arch_place place;

	assert_int_equal(riscv_walk(mem, reg, address, &place), -EFAULT);
}

static void test_bare(void **state)
{
	(void)state;
	expect(0, 0x80201ffe, 0x80201ffe, 2);
	/* Linux's own addresses, before its tables. */
	expect(0, UINT64_C(0xffffffff80000000), 0x80200000, 4096);
	expect(0, UINT64_C(0xffffffff80801ffe), 0x80a01ffe, 2);
	expect(0, UINT64_C(0xffffffff7ffffffc), UINT64_C(0xffffffff7ffffffc), 4);
}

static void test_sv39_48_57(void **state)
{
	(void)state;
	/* ffffffff80001004: a kernel's text. */
	put(RAM, 510, RAM + 0x1000, NEXT);
	put(RAM + 0x1000, 0, RAM + 0x2000, NEXT);
	put(RAM + 0x2000, 1, 0x80201000, LEAF);
	expect(satp(8, RAM), UINT64_C(0xffffffff80001004), 0x80201004, 0xffc);
	put(RAM + 0x1000, 1, 0x80400000, LEAF);
	expect(satp(8, RAM), UINT64_C(0xffffffff80200004), 0x80400004, 0x1ffffc);
	/* The same tables under one more level, and under two. */
	put(RAM + 0x3000, 511, RAM, NEXT);
	expect(satp(9, RAM + 0x3000), UINT64_C(0xffffffff80001004), 0x80201004, 0xffc);
	put(RAM + 0x4000, 511, RAM + 0x3000, NEXT);
	expect(satp(10, RAM + 0x4000), UINT64_C(0xffffffff80001004), 0x80201004, 0xffc);
	/* 64 KiB as one (Svnapot): the number's lowest bits are the size. */
	put(RAM + 0x2000, 0x13, 0x80218000, LEAF | UINT64_C(1) << 63);
	expect(satp(8, RAM), UINT64_C(0xffffffff80013010), 0x80213010, 0xff0);
}

static void test_hostile_tables(void **state)
{
	(void)state;
	refuse(satp(8, RAM), 0);		      /* empty */
	refuse(satp(8, RAM), UINT64_C(0x4000000000)); /* not canonical */
	refuse(satp(7, RAM), 0);		      /* no such mode */
	refuse(satp(11, RAM), 0);
	put(RAM, 0, RAM, NEXT); /* its own next: no leaf at the end */
	refuse(satp(8, RAM), 0);
	refuse(satp(10, RAM), 0);
	put(RAM, 0, RAM + RAM_SIZE, NEXT);
	refuse(satp(8, RAM), 0);
	put(RAM, 0, UINT64_C(0xfffffffffff000), NEXT);
	refuse(satp(8, RAM), UINT64_C(0x3fffffff));
	put(RAM, 0, 0x80201000, LEAF); /* a superpage that is not aligned */
	refuse(satp(8, RAM), 0);
}

/* Encodings as GNU as writes them. */
static void test_where_instructions_lead(void **state)
{
	const struct riscv_step s = {
		.pc = 0x1000,
		.x = { [1] = 0x2001, [8] = 0, [9] = 5, [10] = UINT64_MAX, [11] = 1 },
		.sepc = 0x3000,
		.stvec = 0x4001,
		.user = 1,
	};
	struct riscv_step kernel = s;
	const struct {
		uint32_t insn;
		uint64_t next;
	} cases[] = {
		{ 0x00000013, 0x1004 }, /* nop */
		{ 0x0100006f, 0x1010 }, /* j .+16 */
		{ 0xff1ff06f, 0x0ff0 }, /* j .-16 */
		{ 0x7fe000ef, 0x17fe }, /* jal .+2046 */
		{ 0x00008067, 0x2000 }, /* ret */
		{ 0xffc080e7, 0x1ffc }, /* jalr -4(ra) */
		{ 0x00b50863, 0x1004 }, /* beq a0, a1, .+16 */
		{ 0x00b51863, 0x1010 }, /* bne a0, a1, .+16 */
		{ 0x00b54863, 0x1010 }, /* blt a0, a1, .+16: -1 < 1 */
		{ 0x00b55863, 0x1004 }, /* bge */
		{ 0x00b56863, 0x1004 }, /* bltu */
		{ 0x00b57863, 0x1010 }, /* bgeu */
		{ 0xfe040ee3, 0x0ffc }, /* beqz s0, .-4 */
		{ 0x10200073, 0x3000 }, /* sret */
		{ 0x00000073, 0x4000 }, /* ecall from user mode */
		{ 0x0001, 0x1002 },	/* c.nop */
		{ 0xa801, 0x1010 },	/* c.j .+16 */
		{ 0xbfc5, 0x0ff0 },	/* c.j .-16 */
		{ 0x8082, 0x2000 },	/* c.ret */
		{ 0x9082, 0x2000 },	/* c.jalr ra */
		{ 0x9002, 0x1002 },	/* c.ebreak */
		{ 0x852e, 0x1002 },	/* c.mv a0, a1 */
		{ 0xc801, 0x1010 },	/* c.beqz s0, .+16 */
		{ 0xe801, 0x1002 },	/* c.bnez s0, .+16 */
		{ 0xe881, 0x1010 },	/* c.bnez s1, .+16 */
		{ 0xdcf5, 0x1002 },	/* c.beqz s1, .-4 */
		{ 0xfcf5, 0x0ffc },	/* c.bnez s1, .-4 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (riscv_next_pc(&s, cases[i].insn) != cases[i].next)
			fail_msg("%#x leads to %#lx, not %#lx", cases[i].insn,
				 (unsigned long)riscv_next_pc(&s, cases[i].insn),
				 (unsigned long)cases[i].next);
	}
	kernel.user = 0; /* an ecall of the kernel goes to KVM and comes back */
	assert_int_equal(riscv_next_pc(&kernel, 0x00000073), 0x1004);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bare, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sv39_48_57, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_tables, setup, teardown),
		cmocka_unit_test(test_where_instructions_lead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
