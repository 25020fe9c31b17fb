/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a kernel of arm64 or riscv64 (an Image, or an ELF file), in guests of any size, with an initrd
 * of any length: refused, or all parts inside of RAM and apart, and an Image's bytes at its entry; and the same
 * when the file was read straight to its place. Input: a byte of memory size (MiB), a byte that chooses the
 * architecture, eight of initrd size; then the file.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/dt/load.h"
#include "base/le.h"

enum { PREFIX = 10, PAGE = 4096 };

static const struct dt_target targets[] = {
	{ UINT64_C(0x40000000), { 'A', 'R', 'M', 'd' }, EM_AARCH64 },
	{ UINT64_C(0x80000000), { 'R', 'S', 'C', 5 }, EM_RISCV },
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_places(const struct dt_target *target, uint64_t end, const struct dt_boot *boot,
			 uint64_t initrd_size)
{
	require(boot->entry >= target->ram && boot->entry < boot->end);
	require(boot->tree >= boot->end && boot->tree % DT_TREE_MAX == 0);
	require(boot->tree + DT_TREE_MAX <= end);
	require(boot->initrd % PAGE == 0 && boot->initrd >= boot->end);
	require(initrd_size <= boot->tree - boot->initrd);
}

/* One guest, without anything in it. */
static struct guest_mem *make_guest(const struct dt_target *target, uint64_t ram)
{
	struct guest_mem *mem;

	require(!mem_create(&mem));
	require(!mem_add(mem, gpa(target->ram), ram, MEM_RAM));
	return mem;
}

static int load(const struct dt_target *target, struct guest_mem *mem,
		const struct arch_images *images, uint64_t ram, struct dt_boot *boot)
{
	int r = dt_load(target, mem, images, boot);

	require(r == 0 || r == -ENOEXEC || r == -ENOSPC);
	if (r == 0)
		check_places(target, target->ram + ram, boot, images->initrd_size);
	return r;
}

static void require_bytes(const struct guest_mem *mem, uint64_t at, const uint8_t *bytes,
			  size_t len)
{
	struct iovec iov;

	require(mem_segments(mem, gpa(at), len, MEM_READ, &iov, 1) == 1);
	require(memcmp(iov.iov_base, bytes, len) == 0);
}

/* As vm/load.c reads a kernel whose head tells where it wants to lie: the copy is then onto itself. */
static void load_in_place(const struct dt_target *target, const struct arch_images *images,
			  uint64_t ram, gpa_t hint, const struct dt_boot *apart, int wanted)
{
	struct guest_mem *mem = make_guest(target, ram);
	struct arch_images placed = *images;
	struct dt_boot boot = { 0 };
	struct iovec iov;

	require(!mem_write(mem, hint, images->kernel, images->kernel_size));
	require(mem_segments(mem, hint, images->kernel_size, MEM_WRITE, &iov, 1) == 1);
	placed.kernel = iov.iov_base;
	require(load(target, mem, &placed, ram, &boot) == wanted);
	if (!wanted) {
		require(boot.entry == hint.v && memcmp(&boot, apart, sizeof(boot)) == 0);
		require_bytes(mem, boot.entry, images->kernel, images->kernel_size);
	}
	mem_destroy(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t initrd[1 << 16];
	struct arch_images images = { .kernel_name = "any", .initrd_fd = -1, .tree_fd = -1 };
	struct kernel_file kernel = { .name = "any" };
	struct dt_boot boot = { 0 };
	const struct dt_target *target;
	struct guest_mem *mem;
	uint64_t ram;
	gpa_t hint;
	int r;

	if (size < PREFIX)
		return 0;
	ram = (uint64_t)(data[0] % 64 + 1) << 20;
	target = &targets[data[1] & 1];
	images.initrd_size = le64_load(data + 2);
	if (images.initrd_size && images.initrd_size <= sizeof(initrd)) {
		images.initrd = initrd;
		images.initrd_fd = 0; /* there is one; its bytes are at hand, so nothing is read */
	}
	kernel.data = images.kernel = data + PREFIX;
	kernel.size = images.kernel_size = size - PREFIX;

	mem = make_guest(target, ram);
	r = load(target, mem, &images, ram, &boot);
	if (r == 0 && dt_is_image(&kernel, target->magic))
		require_bytes(mem, boot.entry, kernel.data, kernel.size);
	if (dt_image_hint(mem, target->ram, target->magic, kernel.data, kernel.size, kernel.size,
			  &hint)) {
		require(hint.v >= target->ram && hint.v + kernel.size <= target->ram + ram);
		load_in_place(target, &images, ram, hint, &boot, r);
	}
	mem_destroy(mem);
	return 0;
}
