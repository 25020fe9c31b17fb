/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel maps its text and (Linux) all of RAM in long ranges. From one address in such a range, both
 * its ends are found by walking the page tables, in steps of 2 MiB and at the ends of 4 KiB. Stacks that Linux
 * maps page by page are looked at so.
 */
#include "vm/core/map.h"

#include "arch/debug.h"

enum {
	PAGE = 4096,
	STEP = 2 << 20,
};

/* Whether @at is seen at @at + @delta. */
static bool seen(const struct vcpu *vcpu, uint64_t at, uint64_t delta)
{
	struct arch_place place;

	return !arch_translate(vcpu, at + delta, &place) && place.at.v == at;
}

/* The first byte that is seen without a gap below @at, not below @low. All are multiples of 4 KiB. */
static uint64_t find_start(const struct vcpu *vcpu, uint64_t at, uint64_t delta, uint64_t low)
{
	while (at - low >= STEP && seen(vcpu, at - STEP, delta))
		at -= STEP;
	for (unsigned i = 0; i < STEP / PAGE && at > low && seen(vcpu, at - PAGE, delta); i++)
		at -= PAGE;
	return at;
}

static uint64_t find_end(const struct vcpu *vcpu, uint64_t at, uint64_t delta, uint64_t high)
{
	while (high - at > STEP && seen(vcpu, at + STEP, delta))
		at += STEP;
	for (unsigned i = 0; i <= STEP / PAGE && at < high && seen(vcpu, at, delta); i++)
		at += PAGE;
	return at;
}

static bool is_known(const struct core_state *state, uint64_t at, uint64_t delta)
{
	for (unsigned i = 0; i < state->map_count; i++) {
		const struct core_map *map = &state->maps[i];

		if (map->address - map->at.v == delta && at >= map->at.v &&
		    at - map->at.v < map->size)
			return true;
	}
	return false;
}

static void add_range(const struct mem_region *region, const struct vcpu *vcpu, uint64_t at,
		      uint64_t delta, struct core_state *state)
{
	uint64_t low = region->start.v;
	uint64_t high = low + region->size;
	uint64_t start;

	if (is_known(state, at, delta) || state->map_count >= CORE_MAX_RANGES)
		return;
	start = find_start(vcpu, at, delta, low);
	state->maps[state->map_count++] =
		(struct core_map){ start + delta, gpa(start),
				   find_end(vcpu, at, delta, high) - start };
}

/*
 * What is mapped at @address, and at the same distance in the other regions: a range of all RAM goes
 * on there.
 */
static void add_address(const struct guest_mem *mem, const struct vcpu *vcpu, uint64_t address,
			struct core_state *state)
{
	const struct mem_region *regions;
	struct arch_place place;
	size_t count;

	/* The lower half is a program's, or the same as physical addresses. */
	if (!(address >> 63) || arch_translate(vcpu, address, &place) < 0)
		return;
	regions = mem_regions(mem, &count);
	for (size_t i = 0; i < count; i++) {
		const struct mem_region *region = &regions[i];
		uint64_t delta = address - place.at.v;
		uint64_t at = region->start.v;

		if (region->kind != MEM_RAM && region->kind != MEM_READONLY)
			continue;
		if (place.at.v - at < region->size)
			at = place.at.v & ~(uint64_t)(PAGE - 1);
		if (seen(vcpu, at, delta))
			add_range(region, vcpu, at, delta, state);
	}
}

void core_map_vcpu(const struct guest_mem *mem, const struct vcpu *vcpu, struct core_state *state)
{
	uint64_t hints[ARCH_HINTS_MAX];
	unsigned count = arch_kernel_hints(vcpu, hints);

	for (unsigned i = 0; i < count; i++)
		add_address(mem, vcpu, hints[i], state);
}

void core_map_stack(const struct vcpu *vcpu, uint64_t sp, struct core_state *state)
{
	uint64_t page = sp & ~(uint64_t)(PAGE - 1);
	struct arch_place place;

	if (!(sp >> 63))
		return;
	for (unsigned i = 0; i < CORE_STACK_PAGES && page; i++, page += PAGE) {
		struct core_map *last = state->map_count ? &state->maps[state->map_count - 1]
							 : NULL;

		/* The page that is not there is the guard behind the stack. */
		if (arch_translate(vcpu, page, &place) < 0)
			return;
		if (is_known(state, place.at.v, page - place.at.v))
			continue;
		if (i && last && last->address + last->size == page &&
		    last->at.v + last->size == place.at.v)
			last->size += PAGE;
		else if (state->map_count < CORE_MAX_MAPS)
			state->maps[state->map_count++] = (struct core_map){ page, place.at, PAGE };
	}
}
