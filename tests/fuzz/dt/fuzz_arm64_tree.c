/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any arm64 board as a device tree: it is written whole and says what there is. Input: flags, processors (1 byte), an
 * affinity for each (8), windows (1), the initrd's size and place (8 each), the command line.
 */
#include "arch/arm64/layout.h"
#include "arch/arm64/machine.h"
#include "tests/fuzz/dt/tree_fuzz.h"

enum { GIC_V2 = 1, SERIAL = 2, PMU = 4, TOO_MANY = 8, GIC_V2_CPUS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tree_input in = { data, size };
	unsigned flags = (unsigned)tree_take(&in, 1);
	uint64_t mpidr[VM_MAX_CPUS];
	char line[TREE_LINE_MAX];
	struct arch_images images;
	struct arch arch = { .gic = flags & GIC_V2 ? ARM64_GIC_V2 : ARM64_GIC_V3,
			     .gic_fd = -1,
			     .mpidr = mpidr };

	arch.config.cpus = (unsigned)tree_take(&in, 1) %
				   (flags & GIC_V2 ? GIC_V2_CPUS : (unsigned)VM_MAX_CPUS) +
			   1;
	arch.config.pmu = flags & PMU;
	arch.serial = flags & SERIAL ? (struct serial *)line : NULL; /* whether there is one */
	for (unsigned i = 0; i < arch.config.cpus; i++)
		mpidr[i] = tree_take(&in, 8);
	tree_images(&in, ARM64_VIRTIO_WINDOWS, &images, &arch.boot, line);
	arch.config.mem = tree_memory(ARM64_RAM, &arch.boot);
	tree_require(!arm64_write_tree(&arch, &images));
	tree_check(arch.config.mem, &arch.boot, arch.config.cpus, &images);
	if (flags & TOO_MANY) {
		images.virtio_count = ARM64_VIRTIO_WINDOWS + 1;
		tree_require(arm64_write_tree(&arch, &images) == -ENOSPC && !arch.boot.tree_size);
	}
	mem_destroy(arch.config.mem);
	return 0;
}
