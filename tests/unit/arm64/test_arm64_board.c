/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/arm64 without KVM: the map, kernels good and foreign, the tree, the numbers of registers. */
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

#include "arch/arm64/layout.h"
#include "arch/arm64/machine.h"
#include "arch/arm64/regs.h"
#include "base/le.h"
#include "tests/lib/capture.h"

#define MIB (UINT64_C(1) << 20)

enum { FILE_SIZE = 8192 };

static uint8_t file[FILE_SIZE];

/* A board as arch_vcpus_created leaves it, on a host that we make up. */
static struct arch *board(uint64_t ram, unsigned cpus, enum arm64_gic gic)
{
	struct arch *arch = calloc(1, sizeof(*arch));

	assert_non_null(arch);
	arch->config.cpus = cpus;
	arch->gic = gic;
	arch->gic_fd = -1;
	arch->mpidr = calloc(cpus, sizeof(*arch->mpidr));
	assert_non_null(arch->mpidr);
	for (unsigned i = 0; i < cpus; i++)
		arch->mpidr[i] = UINT64_C(0x80000000) | i % 16 | (uint64_t)(i / 16) << 8;
	assert_int_equal(mem_create(&arch->config.mem), 0);
	assert_int_equal(arch_add_memory(arch->config.mem, ram), 0);
	return arch;
}

static void drop(struct arch *arch)
{
	mem_destroy(arch->config.mem);
	arch_destroy(arch);
}

static struct arch_images images(unsigned windows)
{
	return (struct arch_images){
		.kernel = file,
		.kernel_size = sizeof(file),
		.kernel_name = "Image",
		.initrd_fd = -1,
		.tree_fd = -1,
		.cmdline = "a b",
		.virtio_count = windows,
	};
}

static void make_image(void)
{
	memset(file, 0, sizeof(file));
	le64_store(file + 16, 2 * MIB);
	memcpy(file + 56, "ARMd", 4);
}

/* An ELF file for @machine with one segment of 16 bytes at @paddr. */
static void make_elf(unsigned machine, uint64_t paddr)
{
	memset(file, 0, sizeof(file));
	memcpy(file, "\177ELF\2\1\1", 7);
	le16_store(file + 16, 2);
	le16_store(file + 18, (uint16_t)machine);
	le64_store(file + 24, paddr + 4);
	le64_store(file + 32, 64);
	le16_store(file + 54, 56);
	le16_store(file + 56, 1);
	le32_store(file + 64, 1);
	le64_store(file + 64 + 8, 4096);
	le64_store(file + 64 + 24, paddr);
	le64_store(file + 64 + 32, 16);
	le64_store(file + 64 + 40, 4096);
	memcpy(file + 4096, "0123456789abcdef", 16);
}

static void memory_map(void **state)
{
	struct arch *arch = board(64 * MIB, 1, ARM64_GIC_V3);
	const struct mem_region *region;
	size_t count;

	(void)state;
	region = mem_regions(arch->config.mem, &count);
	assert_int_equal(count, 2);
	assert_int_equal(region[0].kind, MEM_HOLE);
	assert_int_equal(region[1].start.v, 0x80000000);
	assert_int_equal(region[1].size, 64 * MIB);
	drop(arch);
}

static void windows(void **state)
{
	struct arch_slot slot;

	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(arch_virtio_slot(i, &slot), 0);
		assert_int_equal(slot.base, 0x0a000000 + i * 0x1000);
		assert_int_equal(slot.gsi, 16 + i);
		assert_true(slot.gsi < ARM64_GSIS);
	}
	assert_int_equal(arch_virtio_slot(32, &slot), -ENOSPC);
}

/* Without KVM_CAP_ARM_VM_IPA_SIZE there are 40 bits, and no type but 0. */
static void address_bits(void **state)
{
	const struct kvm kvm = { .sys_fd = -1, .vm_fd = -1 };
	unsigned long type = 1;

	(void)state;
	assert_int_equal(arch_vm_type(&kvm, 512 * MIB, &type), 0);
	assert_int_equal(type, 0);
	assert_int_equal(arch_vm_type(&kvm, (UINT64_C(1) << 40) - ARM64_RAM, &type), 0);
	assert_int_equal(arch_vm_type(&kvm, UINT64_C(1) << 40, &type), -ENOTSUP);
}

static void image_boots(void **state)
{
	struct arch *arch = board(64 * MIB, 1, ARM64_GIC_V3);
	struct arch_images what = images(0);

	(void)state;
	make_image();
	assert_int_equal(arch_load(arch, &what), 0);
	assert_int_equal(arch->boot.entry, 0x80000000);
	assert_int_equal(arch->boot.tree, 0x80000000 + 62 * MIB);
	drop(arch);
}

static void elf_boots(void **state)
{
	struct arch *arch = board(64 * MIB, 1, ARM64_GIC_V3);
	struct arch_images what = images(0);
	uint8_t back[16];

	(void)state;
	make_elf(183, 0x80200000);
	assert_int_equal(arch_load(arch, &what), 0);
	assert_int_equal(arch->boot.entry, 0x80200004);
	assert_int_equal(arch->boot.end, 0x80201000);
	assert_int_equal(mem_read(arch->config.mem, gpa(0x80200000), back, 16), 0);
	assert_memory_equal(back, file + 4096, 16);
	/* Beyond RAM; below it; where devices are; in the wrong GiB. */
	make_elf(183, 0x84000000);
	assert_int_equal(arch_load(arch, &what), -ENOSPC);
	make_elf(183, 0x7ffff000);
	assert_int_equal(arch_load(arch, &what), -ENOEXEC);
	make_elf(183, 0x09000000);
	assert_int_equal(arch_load(arch, &what), -ENOEXEC);
	make_elf(183, 0xc0000000);
	assert_int_equal(arch_load(arch, &what), -ENOEXEC);
	drop(arch);
}

static void load_in_child(void *arg)
{
	struct arch *arch = board(64 * MIB, 1, ARM64_GIC_V3);
	struct arch_images what = images(0);

	(void)arg;
	_exit(arch_load(arch, &what) == -ENOEXEC ? 0 : 1);
}

static void assert_refused(const char *words)
{
	static struct captured child;

	capture_child(&child, load_in_child, NULL);
	assert_int_equal(child.status, 0);
	if (!strstr(child.text, words))
		fail_msg("\"%s\" does not say \"%s\"", child.text, words);
}

static void foreign_kernels_are_named(void **state)
{
	(void)state;
	memset(file, 0, sizeof(file));
	memcpy(file, "MZ", 2);
	memcpy(file + 0x202, "HdrS", 4);
	assert_refused("this is an x86 kernel (bzImage); this hvrun runs arm64 guests");
	memset(file, 0, sizeof(file));
	memcpy(file + 56, "RSC\x05", 4);
	assert_refused("this is a riscv kernel; this hvrun runs arm64 guests");
	make_elf(62, 0x80200000);
	assert_refused("this is an ELF file for x86-64; this hvrun runs arm64 guests");
	make_elf(243, 0x80200000);
	assert_refused("this is an ELF file for riscv; this hvrun runs arm64 guests");
	memset(file, 0, sizeof(file));
	assert_refused("no kind of kernel that is known here (8192 bytes); an Image or an ELF");
	memcpy(file, "070701", 6);
	assert_refused("a cpio archive (an initrd?); an Image or an ELF file is needed");
}

static void tree_describes_the_board(enum arm64_gic gic, unsigned cpus, bool pmu)
{
	struct arch *arch = board(64 * MIB, cpus, gic);
	struct arch_images what = images(2);
	uint8_t *tree = malloc(DT_TREE_MAX);
	const fdt32_t *cells;
	const fdt64_t *reg;
	char path[32];
	int node, len;

	assert_non_null(tree);
	arch->config.pmu = pmu;
	make_image();
	assert_int_equal(arch_load(arch, &what), 0);
	assert_int_equal(mem_read(arch->config.mem, gpa(arch->boot.tree), tree, DT_TREE_MAX), 0);
	assert_int_equal(fdt_check_full(tree, DT_TREE_MAX), 0);
	for (unsigned i = 0; i < cpus; i++) {
		snprintf(path, sizeof(path), "/cpus/cpu@%x", i % 16 | i / 16 << 8);
		node = fdt_path_offset(tree, path);
		reg = fdt_getprop(tree, node, "reg", &len);
		assert_int_equal(len, 8);
		assert_int_equal(fdt64_to_cpu(*reg), i % 16 | i / 16 << 8);
		assert_string_equal(fdt_getprop(tree, node, "enable-method", &len), "psci");
	}
	node = fdt_path_offset(tree, "/interrupt-controller@8000000");
	reg = fdt_getprop(tree, node, "reg", &len);
	assert_int_equal(len, 32);
	assert_int_equal(fdt64_to_cpu(reg[2]), gic == ARM64_GIC_V3 ? 0x080a0000 : 0x08010000);
	assert_int_equal(fdt64_to_cpu(reg[3]), gic == ARM64_GIC_V3 ? 0x20000 * cpus : 0x2000);
	assert_int_equal(fdt_get_phandle(tree, node), fdt32_to_cpu(*(const fdt32_t *)fdt_getprop(
							      tree, 0, "interrupt-parent", &len)));
	cells = fdt_getprop(tree, fdt_path_offset(tree, "/timer"), "interrupts", &len);
	assert_int_equal(len, 48);
	assert_int_equal(fdt32_to_cpu(cells[7]), 11);
	assert_int_equal(fdt32_to_cpu(cells[8]),
			 8 | (gic == ARM64_GIC_V2 ? ((1U << cpus) - 1) << 8 : 0));
	node = fdt_path_offset(tree, "/pmu");
	assert_int_equal(node > 0, pmu);
	if (pmu) {
		assert_string_equal(fdt_getprop(tree, node, "compatible", &len), "arm,armv8-pmuv3");
		cells = fdt_getprop(tree, node, "interrupts", &len);
		assert_int_equal(len, 12);
		assert_int_equal(fdt32_to_cpu(cells[0]), 1);
		assert_int_equal(fdt32_to_cpu(cells[1]), 7);
		assert_int_equal(fdt32_to_cpu(cells[2]),
				 4 | (gic == ARM64_GIC_V2 ? ((1U << cpus) - 1) << 8 : 0));
	}
	cells = fdt_getprop(tree, fdt_path_offset(tree, "/virtio_mmio@a001000"), "interrupts",
			    &len);
	assert_int_equal(fdt32_to_cpu(cells[0]), 0);
	assert_int_equal(fdt32_to_cpu(cells[1]), 17);
	assert_int_equal(fdt32_to_cpu(cells[2]), 1);
	assert_true(fdt_path_offset(tree, "/virtio_mmio@a002000") < 0);
	assert_true(fdt_path_offset(tree, "/serial@9000000") < 0); /* this board has none */
	assert_true(fdt_path_offset(tree, "/rtc@9010000") > 0);
	assert_string_equal(fdt_getprop(tree, fdt_path_offset(tree, "/psci"), "method", &len),
			    "hvc");
	free(tree);
	drop(arch);
}

static void trees(void **state)
{
	(void)state;
	tree_describes_the_board(ARM64_GIC_V3, 1, false);
	tree_describes_the_board(ARM64_GIC_V3, 64, true);
	tree_describes_the_board(ARM64_GIC_V2, 1, false);
	tree_describes_the_board(ARM64_GIC_V2, 8, true);
}

/* As Documentation/virt/kvm/api.rst, 4.68 lists them. */
static void register_numbers(void **state)
{
	(void)state;
	assert_int_equal(ARM64_REG_X(0), UINT64_C(0x6030000000100000));
	assert_int_equal(ARM64_REG_X(30), UINT64_C(0x603000000010003c));
	assert_int_equal(ARM64_REG_SP_EL0, UINT64_C(0x603000000010003e));
	assert_int_equal(ARM64_REG_PC, UINT64_C(0x6030000000100040));
	assert_int_equal(ARM64_REG_PSTATE, UINT64_C(0x6030000000100042));
	assert_int_equal(ARM64_REG_SP_EL1, UINT64_C(0x6030000000100044));
	assert_int_equal(ARM64_REG_ELR, UINT64_C(0x6030000000100046));
	assert_int_equal(ARM64_REG_SPSR, UINT64_C(0x6030000000100048));
	assert_int_equal(ARM64_REG_MPIDR_EL1, UINT64_C(0x603000000013c005));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_map),	cmocka_unit_test(windows),
		cmocka_unit_test(address_bits), cmocka_unit_test(image_boots),
		cmocka_unit_test(elf_boots),	cmocka_unit_test(foreign_kernels_are_named),
		cmocka_unit_test(trees),	cmocka_unit_test(register_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
