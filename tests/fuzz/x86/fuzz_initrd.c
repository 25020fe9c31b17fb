/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The place of the initrd in guests of any shape: above the kernel, in RAM, below the kernel's limit, or
 * refused. Input: initrd size (8 bytes), end of the kernel (4), the kernel's limit (4), then regions of
 * memory (start in MiB, size in MiB, kind: 1, 1, 1).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/layout.h"
#include "arch/x86/load.h"
#include "base/checked.h"
#include "base/le.h"

enum { FILE_SIZE = 0x800, REGIONS = 6, PREFIX = 16 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The least that is a bzImage (boot.rst): one with a limit for its initrd. */
static void make_bzimage(uint8_t *file, uint32_t limit)
{
	memset(file, 0, FILE_SIZE);
	file[0x1f1] = 1;
	memcpy(file + 0x1fe, "\x55\xaa\xeb\x66HdrS", 8);
	le16_store(file + 0x206, 0x020f);
	file[0x211] = 1;
	le32_store(file + 0x22c, limit);
	le32_store(file + 0x230, 0x200000);
	file[0x234] = 1;
	le16_store(file + 0x236, 1);
	le32_store(file + 0x238, 2047);
	le64_store(file + 0x258, 0x100000);
	le32_store(file + 0x260, 0x100000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t file[FILE_SIZE];
	const struct kernel_file kernel = { .data = file, .size = sizeof(file), .name = "any" };
	struct x86_boot boot = { .entry = X86_ENTRY_LINUX64, .rip = 0x100200 };
	struct iovec iov[MEM_MAX_REGIONS];
	struct guest_mem *mem;
	uint64_t wanted;
	gpa_t at = gpa(1);
	int r;

	if (size < PREFIX)
		return 0;
	wanted = le64_load(data);
	boot.end = u64_align_down(le32_load(data + 8), 4096);
	make_bzimage(file, le32_load(data + 12));
	require(!mem_create(&mem));
	for (size_t i = PREFIX; i + 3 <= size && i < PREFIX + 3 * REGIONS; i += 3)
		(void)mem_add(mem, gpa((uint64_t)data[i] << 20), (uint64_t)data[i + 1] << 20,
			      data[i + 2] % 4 == 3 ? MEM_READONLY : MEM_RAM);
	r = x86_place_initrd(mem, &kernel, &boot, wanted, &at);
	require(r == 0 || r == -ENOSPC || r == -ENOEXEC);
	if (r == 0 && wanted == 0)
		require(at.v == 0);
	if (r == 0 && wanted > 0) {
		require(at.v % 4096 == 0 && at.v >= boot.end);
		require(at.v + wanted - 1 <= le32_load(data + 12));
		require(mem_segments(mem, at, wanted, MEM_WRITE, iov, MEM_MAX_REGIONS) > 0);
	}
	mem_destroy(mem);
	return 0;
}
