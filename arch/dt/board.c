/* SPDX-License-Identifier: BSD-2-Clause */
/* The nodes that every board described by a device tree has. */
#include "arch/dt/board.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "arch/dt/image.h"
#include "base/diag.h"
#include "base/io.h"

enum {
	SEED_SIZE = 64,
	TREE_ROOM = DT_TREE_MAX / 64, /* bytes to begin with: enough for some CPUs and devices */
	UART_CLOCK = 1843200,	      /* Hz: the crystal of a PC's serial port */
};

/*
 * chosen (Devicetree Specification 3.6; Linux, dt-bindings/chosen.txt). A host without entropy yet
 * must not make the guest wait: then there is no seed. Both are wiped by the kernel that reads them.
 */
static void add_chosen(struct dt *dt, const struct dt_board *board)
{
	uint8_t seed[SEED_SIZE + sizeof(uint64_t)];

	dt_node(dt, "chosen");
	dt_string(dt, "bootargs", board->cmdline);
	if (board->serial) {
		char path[32];

		snprintf(path, sizeof(path), "/serial@%llx",
			 (unsigned long long)board->serial->base);
		dt_string(dt, "stdout-path", path);
	}
	if (board->initrd_size) {
		dt_u64(dt, "linux,initrd-start", board->initrd);
		dt_u64(dt, "linux,initrd-end", board->initrd + board->initrd_size);
	}
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed)) {
		dt_bytes(dt, "rng-seed", seed, SEED_SIZE);
		dt_bytes(dt, "kaslr-seed", seed + SEED_SIZE, sizeof(uint64_t));
	}
	dt_node_end(dt);
}

static void add_memory(struct dt *dt, const struct guest_mem *mem)
{
	size_t count;
	const struct mem_region *region = mem_regions(mem, &count);

	for (size_t i = 0; i < count; i++, region++) {
		if (region->kind != MEM_RAM)
			continue;
		dt_node(dt, "memory@%llx", (unsigned long long)region->start.v);
		dt_string(dt, "device_type", "memory");
		dt_reg(dt, region->start.v, region->size);
		dt_node_end(dt);
	}
}

static void add_serial(struct dt *dt, const struct dt_board *board)
{
	dt_node(dt, "serial@%llx", (unsigned long long)board->serial->base);
	dt_string(dt, "compatible", "ns16550a");
	dt_reg(dt, board->serial->base, board->serial->size);
	dt_u32(dt, "clock-frequency", UART_CLOCK);
	board->interrupt(dt, board->serial->gsi, false);
	dt_node_end(dt);
}

static void add_exit(struct dt *dt, const struct dt_window *window)
{
	dt_node(dt, "exit@%llx", (unsigned long long)window->base);
	dt_string(dt, "compatible", "hvrun,exit");
	dt_reg(dt, window->base, window->size);
	dt_node_end(dt);
}

/* As QEMU's machines describe it; Linux' pvpanic-mmio binds to the name. */
static void add_pvpanic(struct dt *dt, const struct dt_window *window)
{
	dt_node(dt, "pvpanic@%llx", (unsigned long long)window->base);
	dt_string(dt, "compatible", "qemu,pvpanic-mmio");
	dt_reg(dt, window->base, window->size);
	dt_node_end(dt);
}

static void add_virtio(struct dt *dt, const struct dt_board *board, const struct dt_window *window)
{
	dt_node(dt, "virtio_mmio@%llx", (unsigned long long)window->base);
	dt_string(dt, "compatible", "virtio,mmio");
	dt_reg(dt, window->base, window->size);
	board->interrupt(dt, window->gsi, true);
	dt_flag(dt, "dma-coherent");
	dt_node_end(dt);
}

void dt_board(struct dt *dt, const struct dt_board *board)
{
	dt_string(dt, "compatible", board->compatible);
	dt_string(dt, "model", board->compatible);
	dt_u32(dt, "#address-cells", 2);
	dt_u32(dt, "#size-cells", 2);
	if (board->irq_parent)
		dt_u32(dt, "interrupt-parent", board->irq_parent);
	add_chosen(dt, board);
	add_memory(dt, board->mem);
	if (board->serial)
		add_serial(dt, board);
	if (board->exit)
		add_exit(dt, board->exit);
	if (board->pvpanic)
		add_pvpanic(dt, board->pvpanic);
	for (size_t i = 0; i < board->virtio_count; i++)
		add_virtio(dt, board, &board->virtio[i]);
}

int dt_deliver(struct guest_mem *mem, uint64_t at, const void *blob, int size,
	       const struct arch_images *images)
{
	if (size < 0) {
		if (size == -ENOSPC)
			diag_error("the device tree does not fit in %d KiB", DT_TREE_MAX >> 10);
		return size;
	}

	int r = mem_write(mem, gpa(at), blob, (size_t)size);

	if (r < 0 || images->tree_fd < 0)
		return r;
	r = write_full(images->tree_fd, blob, (size_t)size);
	if (r < 0)
		diag_error("device tree %s: cannot write: %s", images->tree_name, strerror(-r));
	return r;
}

int dt_write(const struct arch *arch, struct guest_mem *mem, struct dt_boot *boot,
	     const struct arch_images *images, dt_build_fn build)
{
	int size = -ENOSPC;
	void *blob = NULL;

	/* Small first: libfdt clears all the room that it is given. */
	for (size_t room = TREE_ROOM; size == -ENOSPC && room <= DT_TREE_MAX; room *= 4) {
		free(blob);
		blob = malloc(room);
		size = blob ? build(arch, images, blob, room) : -ENOMEM;
	}
	boot->tree_size = size > 0 ? (uint64_t)size : 0;

	int r = dt_deliver(mem, boot->tree, blob, size, images);

	free(blob);
	return r;
}
