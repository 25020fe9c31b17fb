/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any board to be described by a device tree: the tree fits or is refused as a whole, libfdt finds it
 * right, and it says what the board is. Input: room (2 bytes), flags, initrd (16), regions of memory (2
 * each, counted by the flags), then windows (12 each) as far as the flags say, then the command line.
 */
#include <errno.h>
#include <libfdt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/dt/board.h"
#include "base/le.h"

enum { ROOM_MAX = 1 << 16, WINDOWS_MAX = 40, LINE_MAX_ = 4096 };
enum { SERIAL = 1, EXIT = 2, PANIC = 4, PARENT = 8, REGIONS = 16 };

struct input {
	const uint8_t *at;
	size_t left;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (; bytes > 0 && in->left > 0; bytes--, in->left--)
		v = v << 8 | *in->at++;
	return v;
}

static struct dt_window take_window(struct input *in)
{
	struct dt_window window = { take(in, 6), take(in, 4), 0 };

	window.gsi = (unsigned)take(in, 2);
	return window;
}

static void interrupt(struct dt *dt, unsigned gsi, bool edge)
{
	const uint32_t cells[] = { 0, gsi, edge ? 1 : 4 };

	dt_cells(dt, "interrupts", cells, 3);
}

static struct guest_mem *take_memory(struct input *in, unsigned regions)
{
	struct guest_mem *mem;

	require(!mem_create(&mem));
	for (unsigned i = 0; i < regions; i++) {
		uint64_t start = take(in, 1) << 24;

		/* Overlaps are refused by mm/, and are then not there. */
		(void)mem_add(mem, gpa(start), (take(in, 1) + 1) << 12, i % 3 ? MEM_RAM : MEM_HOLE);
	}
	return mem;
}

static void check_u64(const void *blob, int node, const char *name, uint64_t want)
{
	int len;
	const fdt64_t *value = fdt_getprop(blob, node, name, &len);

	require(value && len == 8 && fdt64_ld(value) == want);
}

/* Says the tree what the board is? Nodes of one name (two windows at one place) are found once. */
static void check_tree(const void *blob, int size, const struct dt_board *board)
{
	int chosen = fdt_path_offset(blob, "/chosen");
	const char *line = fdt_getprop(blob, chosen, "bootargs", NULL);
	char path[64];

	require(fdt_check_full(blob, (size_t)size) == 0);
	require((int)fdt_totalsize(blob) == size);
	require(line && strcmp(line, board->cmdline) == 0);
	if (board->initrd_size) {
		check_u64(blob, chosen, "linux,initrd-start", board->initrd);
		check_u64(blob, chosen, "linux,initrd-end", board->initrd + board->initrd_size);
	}
	for (size_t i = 0; i < board->virtio_count; i++) {
		(void)snprintf(path, sizeof(path), "/virtio_mmio@%llx",
			       (unsigned long long)board->virtio[i].base);
		require(fdt_path_offset(blob, path) >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dt_window windows[WINDOWS_MAX];
	struct input in = { data, size };
	size_t room = (size_t)take(&in, 2);
	unsigned flags = (unsigned)take(&in, 1);
	struct dt_window serial, leave, panic;
	char line[LINE_MAX_] = "";
	struct dt_board board = { .compatible = "hvrun,fuzz",
				  .cmdline = line,
				  .irq_parent = flags & PARENT ? 1 : 0,
				  .virtio = windows,
				  .interrupt = interrupt };
	struct guest_mem *mem;
	uint8_t *blob = malloc(room ? room : 1); /* of its own size, for the sanitizer */
	struct dt dt;
	size_t len;
	int r;

	require(blob != NULL);
	board.initrd = take(&in, 8);
	board.initrd_size = take(&in, 8);
	mem = take_memory(&in, flags / REGIONS % 8);
	board.mem = mem;
	serial = take_window(&in);
	leave = take_window(&in);
	panic = take_window(&in);
	board.serial = flags & SERIAL ? &serial : NULL;
	board.exit = flags & EXIT ? &leave : NULL;
	board.pvpanic = flags & PANIC ? &panic : NULL;
	len = (size_t)take(&in, 1) % WINDOWS_MAX;
	while (board.virtio_count < len)
		windows[board.virtio_count++] = take_window(&in);
	len = in.left < sizeof(line) - 1 ? in.left : sizeof(line) - 1;
	if (len)
		memcpy(line, in.at, len);
	line[len] = '\0';

	dt_begin(&dt, blob, room);
	dt_board(&dt, &board);
	r = dt_finish(&dt);
	require(r == -ENOSPC || (r > 0 && (size_t)r <= room));
	/* Nothing is ever too much for the room that there is in the end. */
	require(r > 0 || room < ROOM_MAX / 4);
	if (r > 0)
		check_tree(blob, r, &board);
	free(blob);
	mem_destroy(mem);
	return 0;
}
