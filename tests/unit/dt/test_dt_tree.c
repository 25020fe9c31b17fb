/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/dt: the tree writer, read back by libfdt; its one error that sticks; the common nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/dt/board.h"
#include "arch/dt/image.h"
#include "arch/dt/tree.h"

enum { ROOM = 16384 };

static uint8_t blob[ROOM];

static void assert_bytes(int node, const char *name, const void *expect, int len)
{
	int got;
	const void *value = fdt_getprop(blob, node, name, &got);

	assert_non_null(value);
	assert_int_equal(got, len);
	assert_memory_equal(value, expect, (size_t)len);
}

static void values_come_back(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	static const uint32_t cells[] = { 0x01020304, 5 };
	static const char *const list[] = { "one", "", "three", NULL };
	static const uint64_t regs[] = { 0x123456789, 0x1000, 7, 8 };
	struct dt dt;

	(void)state;
	dt_begin(&dt, blob, sizeof(blob));
	dt_node(&dt, "node@%x", 0x1f);
	dt_flag(&dt, "flag");
	dt_u32(&dt, "u32", 0xa1b2c3d4);
	dt_u64(&dt, "u64", UINT64_C(0x1122334455667788));
	dt_string(&dt, "string", "word");
	dt_bytes(&dt, "bytes", bytes, sizeof(bytes));
	dt_cells(&dt, "cells", cells, 2);
	dt_strings(&dt, "strings", list);
	dt_reg(&dt, 0x80000000, UINT64_C(0x100000000));
	dt_node(&dt, "inner");
	dt_regs(&dt, regs, 2);
	dt_node_end(&dt);
	dt_node_end(&dt);

	int size = dt_finish(&dt);

	assert_true(size > 0 && size < ROOM);
	assert_int_equal(fdt_check_full(blob, (size_t)size), 0);

	int node = fdt_path_offset(blob, "/node@1f");

	assert_true(node > 0);
	assert_bytes(node, "flag", "", 0);
	assert_bytes(node, "u32", "\xa1\xb2\xc3\xd4", 4);
	assert_bytes(node, "u64", "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	assert_bytes(node, "string", "word", 5);
	assert_bytes(node, "bytes", bytes, 3);
	assert_bytes(node, "cells", "\1\2\3\4\0\0\0\5", 8);
	assert_bytes(node, "strings", "one\0\0three", 11);
	assert_bytes(node, "reg", "\0\0\0\0\x80\0\0\0\0\0\0\1\0\0\0\0", 16);
	assert_bytes(fdt_path_offset(blob, "/node@1f/inner"), "reg",
		     "\0\0\0\1\x23\x45\x67\x89\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\x8",
		     32);
}

/* Too long a name, list, or array, or too small a room: said at the end, whatever comes after. */
static void one_error_sticks(void **state)
{
	static const uint32_t cells[257];
	static const uint64_t regs[18];
	char word[300];
	const char *list[] = { word, word, word, word, NULL };
	struct dt dt;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	for (int wrong = 0; wrong < 7; wrong++) {
		dt_begin(&dt, blob, wrong == 0 ? 200 : sizeof(blob));
		dt_node(&dt, "%.*s", wrong == 1 ? 64 : 63, word);
		dt_cells(&dt, "cells", cells, wrong == 2 ? 257 : 10);
		dt_regs(&dt, regs, wrong == 3 ? 9 : 8);
		if (wrong == 4)
			dt_strings(&dt, "list", list);
		dt_node_end(&dt);
		if (wrong == 5)
			dt_node_end(&dt); /* one too many */
		dt_u32(&dt, "after", 1);
		assert_int_equal(dt_finish(&dt) > 0, wrong == 6);
	}
}

static void interrupt(struct dt *dt, unsigned gsi, bool edge)
{
	const uint32_t cells[] = { gsi, edge };

	dt_cells(dt, "interrupts", cells, 2);
}

static struct guest_mem *ram(uint64_t start, uint64_t size)
{
	struct guest_mem *mem;

	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add(mem, gpa(0), start, MEM_HOLE), 0);
	assert_int_equal(mem_add(mem, gpa(start), size, MEM_RAM), 0);
	return mem;
}

static void board_has_its_nodes(void **state)
{
	static const struct dt_window serial = { 0x9000000, 8, 0 };
	static const struct dt_window exit_device = { 0x9020000, 4, 0 };
	static const struct dt_window pvpanic = { 0x9030000, 1, 0 };
	static const struct dt_window virtio[] = { { 0xa000000, 0x1000, 16 },
						   { 0xa001000, 0x1000, 17 } };
	struct guest_mem *mem = ram(0x80000000, 64 << 20);
	struct dt_board board = {
		.compatible = "hvrun,test",
		.mem = mem,
		.cmdline = "words of the user",
		.initrd = 0x81000000,
		.initrd_size = 0x1234,
		.irq_parent = 1,
		.serial = &serial,
		.exit = &exit_device,
		.pvpanic = &pvpanic,
		.virtio = virtio,
		.virtio_count = 2,
		.interrupt = interrupt,
	};
	uint8_t seed[64];
	struct dt dt;
	int chosen, len;

	(void)state;
	dt_begin(&dt, blob, sizeof(blob));
	dt_board(&dt, &board);
	assert_true(dt_finish(&dt) > 0);
	assert_bytes(0, "compatible", "hvrun,test", 11);
	chosen = fdt_path_offset(blob, "/chosen");
	assert_bytes(chosen, "bootargs", "words of the user", 18);
	assert_bytes(chosen, "stdout-path", "/serial@9000000", 16);
	assert_bytes(chosen, "linux,initrd-start", "\0\0\0\0\x81\0\0\0", 8);
	assert_bytes(chosen, "linux,initrd-end", "\0\0\0\0\x81\0\x12\x34", 8);
	assert_non_null(fdt_getprop(blob, chosen, "kaslr-seed", &len));
	assert_int_equal(len, 8);
	memcpy(seed, fdt_getprop(blob, chosen, "rng-seed", &len), sizeof(seed));
	assert_int_equal(len, 64);
	assert_bytes(fdt_path_offset(blob, "/memory@80000000"), "reg",
		     "\0\0\0\0\x80\0\0\0\0\0\0\0\x4\0\0\0", 16);
	assert_bytes(fdt_path_offset(blob, "/serial@9000000"), "interrupts", "\0\0\0\0\0\0\0\0", 8);
	assert_bytes(fdt_path_offset(blob, "/virtio_mmio@a001000"), "interrupts",
		     "\0\0\0\x11\0\0\0\1", 8);
	assert_true(fdt_path_offset(blob, "/exit@9020000") > 0);
	assert_true(fdt_path_offset(blob, "/pvpanic@9030000") > 0);

	/* Another machine: no serial port, no initrd, and another seed. */
	board.serial = NULL;
	board.initrd_size = 0;
	dt_begin(&dt, blob, sizeof(blob));
	dt_board(&dt, &board);
	assert_true(dt_finish(&dt) > 0);
	chosen = fdt_path_offset(blob, "/chosen");
	assert_null(fdt_getprop(blob, chosen, "stdout-path", &len));
	assert_null(fdt_getprop(blob, chosen, "linux,initrd-start", &len));
	assert_true(fdt_path_offset(blob, "/serial@9000000") < 0);
	assert_memory_not_equal(fdt_getprop(blob, chosen, "rng-seed", &len), seed, sizeof(seed));
	mem_destroy(mem);
}

static void delivered_to_guest_and_file(void **state)
{
	struct guest_mem *mem = ram(0x80000000, 4 << 20);
	struct arch_images images = { .tree_fd = -1, .tree_name = "t" };
	uint8_t back[5];
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	assert_int_equal(dt_deliver(mem, 0x80200000, "hello", 5, &images), 0);
	assert_int_equal(mem_read(mem, gpa(0x80200000), back, 5), 0);
	assert_memory_equal(back, "hello", 5);
	images.tree_fd = fileno(file);
	assert_int_equal(dt_deliver(mem, 0x80200000, "again", 5, &images), 0);
	assert_int_equal(pread(images.tree_fd, back, 5, 0), 5);
	assert_memory_equal(back, "again", 5);
	assert_int_equal(dt_deliver(mem, 0x80200000, "", -ENOMEM, &images), -ENOMEM);
	assert_int_equal(dt_deliver(mem, 0x80200000, "", -ENOSPC, &images), -ENOSPC);
	assert_int_equal(dt_deliver(mem, 0x80400000, "x", 1, &images), -EFAULT);
	images.tree_fd = 12345;
	assert_int_equal(dt_deliver(mem, 0x80200000, "x", 1, &images), -EBADF);
	(void)fclose(file);
	mem_destroy(mem);
}

/* A tree of about 100 KiB, or of more than there can be. */
static int build_large(const struct arch *arch, const struct arch_images *images, void *room,
		       size_t size)
{
	static const uint8_t bytes[1024];
	struct dt dt;

	(void)arch;
	dt_begin(&dt, room, size);
	for (unsigned i = 0; i < images->virtio_count; i++) {
		dt_node(&dt, "n@%x", i);
		dt_bytes(&dt, "p", bytes, sizeof(bytes));
		dt_node_end(&dt);
	}
	return dt_finish(&dt);
}

static void large_trees_get_room(void **state)
{
	struct guest_mem *mem = ram(0x80000000, 4 << 20);
	struct arch_images images = { .tree_fd = -1, .virtio_count = 1 };
	struct dt_boot boot = { .tree = 0x80200000 };
	static uint8_t back[DT_TREE_MAX];

	(void)state;
	assert_int_equal(dt_write(NULL, mem, &boot, &images, build_large), 0);
	assert_in_range(boot.tree_size, 1024, 2048);
	images.virtio_count = 100;
	assert_int_equal(dt_write(NULL, mem, &boot, &images, build_large), 0);
	assert_in_range(boot.tree_size, 102400, 110000);
	assert_int_equal(mem_read(mem, gpa(boot.tree), back, sizeof(back)), 0);
	assert_int_equal(fdt_check_full(back, boot.tree_size), 0);
	assert_true(fdt_path_offset(back, "/n@63") > 0);
	images.virtio_count = 3000;
	assert_int_equal(dt_write(NULL, mem, &boot, &images, build_large), -ENOSPC);
	assert_int_equal(boot.tree_size, 0);
	mem_destroy(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_back),
		cmocka_unit_test(one_error_sticks),
		cmocka_unit_test(board_has_its_nodes),
		cmocka_unit_test(delivered_to_guest_and_file),
		cmocka_unit_test(large_trees_get_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
