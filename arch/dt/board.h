/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nodes that every board described by a device tree has: root, chosen, memory, serial port, exit
 * device, virtio-mmio windows. What an interrupt looks like is the architecture's own.
 */
#ifndef ARCH_DT_BOARD_H
#define ARCH_DT_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "arch/dt/image.h"
#include "arch/dt/tree.h"
#include "mm/memory.h"

struct dt_window {
	uint64_t base; /* gpa */
	uint64_t size; /* bytes */
	unsigned gsi;
};

struct dt_board {
	const char *compatible; /* of the root: "hvrun,arm64" */
	const struct guest_mem *mem;
	const char *cmdline;
	uint64_t initrd;      /* gpa */
	uint64_t initrd_size; /* bytes, 0: none */
	uint32_t irq_parent;  /* phandle of the interrupt controller, 0: devices name it */
	const struct dt_window *serial;	 /* NULL: none */
	const struct dt_window *exit;	 /* the exit device; its gsi is not used */
	const struct dt_window *pvpanic; /* likewise; NULL: none */
	const struct dt_window *virtio;
	size_t virtio_count;
	/* Writes "interrupts" (or "interrupts-extended") for @gsi into the open node. */
	void (*interrupt)(struct dt *dt, unsigned gsi, bool edge);
};

/* Properties of the root node and the nodes above. @dt has just begun. */
void dt_board(struct dt *dt, const struct dt_board *board);

/*
 * Puts a tree of @size bytes, as dt_finish counts them, to @at in the guest, and a copy into
 * @images->tree_fd if there is one. A @size below 0 is an error and is handed through. 0 or -errno,
 * said if it is about the tree.
 */
int dt_deliver(struct guest_mem *mem, uint64_t at, const void *blob, int size,
	       const struct arch_images *images);

/* Writes the whole tree into @blob of @size bytes: what dt_finish says, or -errno. */
typedef int (*dt_build_fn)(const struct arch *arch, const struct arch_images *images, void *blob,
			   size_t size);

/*
 * Builds the tree of @arch, in more room if it needs that, and delivers it to @boot->tree (dt_deliver);
 * sets @boot->tree_size. 0 or -errno, said if it is about the tree.
 */
int dt_write(const struct arch *arch, struct guest_mem *mem, struct dt_boot *boot,
	     const struct arch_images *images, dt_build_fn build);

#endif
