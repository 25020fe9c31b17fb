/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any page tables, walked for a debugger or a core as each of the three architectures does: the walk ends, reads
 * nothing but guest memory, says the same twice, and what it finds lies inside of one page. Input: a byte that chooses
 * the architecture, registers (4 of 8 bytes), an address (8), then 64 KiB of RAM from its beginning.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/walk.h"
#include "arch/riscv/walk.h"
#include "arch/x86/walk.h"
#include "base/le.h"

enum { ARCHES = 3, REGS = 4, PREFIX = 1 + 8 * (REGS + 1), RAM_SIZE = 1 << 16 };

/* As the guests have it: tables whose addresses are small or not are found in either. */
#define RAM_HIGH UINT64_C(0x80000000)

struct input {
	unsigned arch;
	uint64_t regs[REGS];
	uint64_t address;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int walk(const struct guest_mem *mem, const struct input *in, struct arch_place *place)
{
	const uint64_t *r = in->regs;
	const struct x86_paging x86 = { .cr0 = r[0], .cr3 = r[1], .cr4 = r[2], .efer = r[3] };
	const struct arm64_paging arm64 = {
		.sctlr = r[0], .tcr = r[1], .ttbr0 = r[2], .ttbr1 = r[3]
	};

	switch (in->arch) {
	case 0:
		return x86_walk(mem, &x86, in->address, place);
	case 1:
		return arm64_walk(mem, &arm64, in->address, place);
	default:
		return riscv_walk(mem, r[0], in->address, place);
	}
}

/* A page has a power of two of bytes; what is left of it after the place ends with it. */
static void check_place(const struct arch_place *place, uint64_t address)
{
	uint64_t rest = address + place->left;

	require(place->left > 0);
	require(!(rest & 4095) && !((place->at.v + place->left) & 4095));
	require((place->at.v & 4095) == (address & 4095));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	struct arch_place place = { 0 }, again = { 0 };
	struct guest_mem *mem;
	size_t len;
	int r;

	if (size < PREFIX)
		return 0;
	in.arch = data[0] % ARCHES;
	for (unsigned i = 0; i < REGS; i++)
		in.regs[i] = le64_load(data + 1 + 8 * (size_t)i);
	in.address = le64_load(data + PREFIX - 8);
	len = size - PREFIX < RAM_SIZE ? size - PREFIX : RAM_SIZE;

	require(!mem_create(&mem));
	for (unsigned i = 0; i < 2; i++) {
		gpa_t start = gpa(i ? RAM_HIGH : 0);

		require(!mem_add(mem, start, RAM_SIZE, MEM_RAM));
		require(!mem_write(mem, start, data + PREFIX, len));
	}
	r = walk(mem, &in, &place);
	require(r == 0 || r == -EFAULT);
	if (r == 0)
		check_place(&place, in.address);
	require(walk(mem, &in, &again) == r);
	require(again.at.v == place.at.v && again.left == place.left);
	mem_destroy(mem);
	return 0;
}
