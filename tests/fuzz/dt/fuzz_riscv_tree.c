/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any riscv64 board as a device tree, whatever KVM says of its harts: it is written whole and says what there is.
 * Input: flags, harts (1 byte), letters (4), extensions, sizes of cache blocks, mode, frequency (8 each), interrupt
 * identities (4), windows (1), the initrd's size and place (8 each), the command line.
 */
#include "arch/riscv/layout.h"
#include "arch/riscv/machine.h"
#include "tests/fuzz/dt/tree_fuzz.h"

enum { AIA = 1, SERIAL = 2, TOO_MANY = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tree_input in = { data, size };
	unsigned flags = (unsigned)tree_take(&in, 1);
	char line[TREE_LINE_MAX];
	struct arch_images images;
	struct arch arch = { .aia_fd = -1 };

	arch.config.cpus = (unsigned)tree_take(&in, 1) % VM_MAX_CPUS + 1;
	/* Whether there is one. */
	arch.plic = flags & AIA ? NULL : (struct plic *)line;
	arch.serial = flags & SERIAL ? (struct serial *)line : NULL;
	arch.isa.letters = (uint32_t)tree_take(&in, 4);
	arch.isa.extensions = tree_take(&in, 8);
	arch.isa.cbom_size = tree_take(&in, 8);
	arch.isa.cboz_size = tree_take(&in, 8);
	arch.isa.satp_mode = tree_take(&in, 8);
	arch.frequency = tree_take(&in, 8);
	arch.aia_ids = (uint32_t)tree_take(&in, 4);
	tree_images(&in, RISCV_VIRTIO_WINDOWS, &images, &arch.boot, line);
	arch.config.mem = tree_memory(RISCV_RAM, &arch.boot);
	tree_require(!riscv_write_tree(&arch, &images));
	tree_check(arch.config.mem, &arch.boot, arch.config.cpus, &images);
	if (flags & TOO_MANY) {
		images.virtio_count = RISCV_VIRTIO_WINDOWS + 1;
		tree_require(riscv_write_tree(&arch, &images) == -ENOSPC && !arch.boot.tree_size);
	}
	mem_destroy(arch.config.mem);
	return 0;
}
