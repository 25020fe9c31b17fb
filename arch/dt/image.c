/* SPDX-License-Identifier: BSD-2-Clause */
/* The Image format of arm64 and riscv: judged, copied to its place; places for initrd and tree. */
#include "arch/dt/image.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/le.h"

enum {
	HEADER_SIZE = 64,
	TEXT_OFFSET = 8,
	IMAGE_SIZE = 16,
	FLAGS = 24,
	MAGIC = 56,
	FLAG_BIG_ENDIAN = 1,
	OLD_TEXT_OFFSET = 0x80000, /* where image_size is 0 (kernels before 3.17) */
	PAGE = 4096,
};

#define ALIGNMENT (UINT64_C(2) << 20) /* of the base that text_offset counts from */

bool dt_is_image(const struct kernel_file *kernel, const char magic[4])
{
	return kernel->size >= HEADER_SIZE && memcmp(kernel->data + MAGIC, magic, 4) == 0;
}

/* The end of the RAM region that begins at @ram. */
static uint64_t ram_end(const struct guest_mem *mem, uint64_t ram)
{
	size_t count;
	const struct mem_region *region = mem_regions(mem, &count);

	for (size_t i = 0; i < count; i++, region++) {
		if (region->kind == MEM_RAM && region->start.v == ram)
			return ram + region->size;
	}
	return ram;
}

bool dt_image_hint(const struct guest_mem *mem, uint64_t ram, const char magic[4],
		   const uint8_t *head, size_t head_len, uint64_t size, gpa_t *at)
{
	const struct kernel_file start = { .data = head, .size = head_len };
	uint64_t base, load;

	if (!dt_is_image(&start, magic) || le64_load(head + IMAGE_SIZE) == 0 ||
	    !u64_align_up(ram, ALIGNMENT, &base) ||
	    !u64_add(base, le64_load(head + TEXT_OFFSET), &load))
		return false;
	*at = gpa(load);
	return load < ram_end(mem, ram) && size <= ram_end(mem, ram) - load;
}

int dt_load_image(struct guest_mem *mem, uint64_t ram, const struct kernel_file *kernel,
		  struct dt_boot *boot)
{
	uint64_t text_offset = le64_load(kernel->data + TEXT_OFFSET);
	uint64_t image_size = le64_load(kernel->data + IMAGE_SIZE);
	uint64_t base;
	uint64_t load;
	uint64_t end;

	if (le64_load(kernel->data + FLAGS) & FLAG_BIG_ENDIAN) {
		diag_error("kernel %s: this is a big-endian kernel; a little-endian one is needed",
			   kernel->name);
		return -ENOEXEC;
	}
	if (image_size == 0)
		text_offset = OLD_TEXT_OFFSET;
	image_size = u64_max(image_size, kernel->size);
	if (!u64_align_up(ram, ALIGNMENT, &base) || !u64_add(base, text_offset, &load) ||
	    !u64_add(load, image_size, &end) || load % PAGE) {
		diag_error("kernel %s: its header makes no sense: text offset %#" PRIx64
			   ", image size %#" PRIx64,
			   kernel->name, text_offset, image_size);
		return -ENOEXEC;
	}
	if (end > ram_end(mem, ram)) {
		diag_error("kernel %s: needs memory up to %" PRIu64 " MiB; the guest has %" PRIu64
			   " MiB",
			   kernel->name, (end - ram) >> 20, mem_ram_size(mem) >> 20);
		return -ENOSPC;
	}
	boot->entry = load;
	boot->end = end;
	return mem_write(mem, gpa(load), kernel->data, kernel->size);
}

int dt_place(const struct guest_mem *mem, uint64_t ram, uint64_t initrd_size, struct dt_boot *boot)
{
	uint64_t limit = u64_min(ram_end(mem, ram), ram + DT_WINDOW);
	uint64_t tree = u64_align_down(limit - DT_TREE_MAX, DT_TREE_MAX);

	if (limit - ram < DT_TREE_MAX || tree < boot->end) {
		diag_error("guest memory: no room for the device tree above the kernel; %" PRIu64
			   " MiB are too few",
			   mem_ram_size(mem) >> 20);
		return -ENOSPC;
	}
	if (initrd_size > tree - boot->end ||
	    u64_align_down(tree - initrd_size, PAGE) < boot->end) {
		diag_error("initrd: %" PRIu64 " bytes do not fit between the kernel and the end of "
			   "the guest's first GiB; %" PRIu64 " are free",
			   initrd_size, tree - boot->end);
		return -ENOSPC;
	}
	boot->tree = tree;
	boot->initrd = u64_align_down(tree - initrd_size, PAGE);
	return 0;
}
