/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables, walked as the processor walks them, without its permissions. */
#include "arch/arm64/walk.h"

#include <errno.h>

#include "base/le.h"

enum {
	SCTLR_M = 1 << 0,
	IPS_52_BITS = 6,
	DESC_VALID = 1 << 0,
	DESC_TABLE = 1 << 1, /* of the last table: a page */
	HIGH_HALF = 55,	     /* the bit of the address that chooses TTBR1 */
	TSZ_MIN = 12,	     /* 52 bits of address */
	TSZ_MAX = 48,
};

/* One half of the address space. */
struct half {
	uint64_t ttbr;
	unsigned granule; /* bits of an offset in a page; 0: reserved */
	unsigned size;	  /* bits of an address */
	bool off;
	bool wide;	 /* physical addresses have 52 bits ... */
	bool wide_small; /* ... in the format of the small granules */
};

static unsigned field(uint64_t value, unsigned low, unsigned bits)
{
	return (unsigned)(value >> low & ((UINT64_C(1) << bits) - 1));
}

static struct half choose_half(const struct arm64_paging *p, bool high)
{
	static const unsigned granules0[] = { 12, 16, 14, 0 };
	static const unsigned granules1[] = { 0, 14, 12, 16 };
	bool ds = field(p->tcr, 59, 1);
	struct half h = {
		.ttbr = high ? p->ttbr1 : p->ttbr0,
		.granule = high ? granules1[field(p->tcr, 30, 2)] : granules0[field(p->tcr, 14, 2)],
		.off = field(p->tcr, high ? 23 : 7, 1),
	};
	unsigned tsz = field(p->tcr, high ? 16 : 0, 6);

	h.size = tsz >= TSZ_MIN && tsz <= TSZ_MAX ? 64 - tsz : 0;
	h.wide_small = ds && h.granule != 16;
	h.wide = h.wide_small || (h.granule == 16 && field(p->tcr, 32, 3) == IPS_52_BITS);
	return h;
}

/* The bits above the address that must repeat bit 55; the top byte may be a tag. */
static bool in_range(const struct arm64_paging *p, const struct half *h, bool high,
		     uint64_t address)
{
	unsigned top = field(p->tcr, high ? 38 : 37, 1) ? HIGH_HALF + 1 : 64;
	uint64_t above = address << (64 - top) >> (64 - top) >> h->size;
	uint64_t all = UINT64_MAX >> (64 - top) >> h->size;

	return above == (high ? all : 0);
}

/* The address in a descriptor, down to bit @low. */
static uint64_t output(const struct half *h, uint64_t desc, unsigned low)
{
	uint64_t end = h->wide_small ? UINT64_C(1) << 50 : UINT64_C(1) << 48;
	uint64_t at = desc & (end - 1) & ~((UINT64_C(1) << low) - 1);

	if (h->wide_small)
		at |= (desc >> 8 & 3) << 50;
	else if (h->wide)
		at |= (desc >> 12 & 0xf) << 48;
	return at;
}

static uint64_t first_table(const struct half *h, unsigned index_bits)
{
	uint64_t at = h->ttbr & ((UINT64_C(1) << 48) - 2);

	if (h->wide)
		at = (at & ~UINT64_C(0x3f)) | (h->ttbr >> 2 & 0xf) << 48;
	return at & ~((UINT64_C(8) << index_bits) - 1);
}

/* Whether a descriptor of @level (1: the last table) may be a block. */
static bool may_be_block(const struct half *h, unsigned level)
{
	unsigned most = h->granule == 12 ? 3 : 2;

	return level > 1 && level <= most + h->wide;
}

static int walk(const struct guest_mem *mem, const struct half *h, uint64_t address,
		struct arch_place *place)
{
	unsigned stride = h->granule - 3;
	unsigned levels = (h->size - h->granule + stride - 1) / stride;
	unsigned shift = h->granule + (levels - 1) * stride;
	unsigned bits = h->size - shift;
	uint64_t table = first_table(h, bits);

	for (unsigned level = levels; level > 0; level--, shift -= stride, bits = stride) {
		uint64_t offset = (UINT64_C(1) << shift) - 1;
		uint8_t bytes[8];
		uint64_t desc;

		if (mem_read(mem, gpa(table + 8 * (uint64_t)field(address, shift, bits)), bytes,
			     sizeof(bytes)) < 0)
			return -EFAULT;
		desc = le64_load(bytes);
		if (!(desc & DESC_VALID))
			return -EFAULT;
		if (desc & DESC_TABLE && level > 1) {
			table = output(h, desc, h->granule);
			continue;
		}
		if (!(desc & DESC_TABLE) && !may_be_block(h, level))
			return -EFAULT;
		place->at = gpa(output(h, desc, shift) | (address & offset));
		place->left = offset + 1 - (address & offset);
		return 0;
	}
	return -EFAULT;
}

int arm64_walk(const struct guest_mem *mem, const struct arm64_paging *paging, uint64_t address,
	       struct arch_place *place)
{
	bool high = address >> HIGH_HALF & 1;
	struct half h = choose_half(paging, high);

	if (!(paging->sctlr & SCTLR_M)) {
		*place = (struct arch_place){ gpa(address), 4096 - (address & 4095) };
		return 0;
	}
	if (h.off || !h.granule || h.size <= h.granule || !in_range(paging, &h, high, address))
		return -EFAULT;
	return walk(mem, &h, address, place);
}
