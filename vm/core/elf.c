/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core's file: headers, the notes, then each region of memory at an offset of its own. Memory is written first,
 * since one of the notes is found in it on the way, and the header last: half a core is no core.
 */
#include "vm/core/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/io.h"
#include "base/le.h"
#include "base/progress.h"

enum {
	PAGE = 4096,
	CHUNK = 1 << 20, /* bytes looked at between two looks at `cancel` */
	MAX_SEGMENTS = MEM_MAX_REGIONS + CORE_MAX_MAPS,
	NOTE_HEAD = 12,
	NOTE_NAME = 12,	   /* "CORE" and "VMCOREINFO" with their zeroes, rounded up to 4 */
	STATUS_REGS = 112, /* struct elf_prstatus of 64-bit Linux: where pr_reg begins, ... */
	STATUS_PID = 32,
	STATUS_TAIL = 8, /* ... and pr_fpvalid behind it */
};

struct segment {
	uint64_t address;
	gpa_t at;
	uint64_t size;
	uint64_t offset;
};

struct core {
	const struct guest_mem *mem;
	const struct core_state *state;
	int fd;
	struct segment segments[MAX_SEGMENTS];
	unsigned count;
	unsigned regions;  /* of the segments: these hold the memory, the others show parts of it */
	uint64_t notes_at; /* behind the headers */
	uint64_t end;	   /* of the file */
	uint64_t written;
	uint64_t seen; /* bytes of memory that were looked at */
	struct progress *progress;
	bool no_holes; /* the file system has none */
	size_t info_size;
	char info[CORE_VMCOREINFO_MAX];
};

/* --- where everything goes --- */

/* The offset of @at in the file, by the region that holds it; 0: in none. */
static uint64_t offset_of(const struct core *core, gpa_t at, uint64_t size)
{
	for (unsigned i = 0; i < core->regions; i++) {
		const struct segment *s = &core->segments[i];

		if (at.v >= s->at.v && range_fits(at.v - s->at.v, size, s->size))
			return s->offset + (at.v - s->at.v);
	}
	return 0;
}

/* The most bytes that the notes can take. */
static size_t notes_room(const struct core_state *state)
{
	size_t each = NOTE_HEAD + NOTE_NAME + STATUS_REGS + CORE_REGS_MAX + STATUS_TAIL;

	return state->cpus * each + NOTE_HEAD + NOTE_NAME + CORE_VMCOREINFO_MAX;
}

static uint64_t whole_pages(uint64_t size)
{
	return (size + PAGE - 1) / PAGE * PAGE;
}

static void place_segments(struct core *core)
{
	const struct mem_region *regions;
	size_t count;

	regions = mem_regions(core->mem, &count);
	core->notes_at = whole_pages(sizeof(Elf64_Ehdr) +
				     (1 + count + core->state->map_count) * sizeof(Elf64_Phdr));
	/* crash looks for the notes before the first segment. */
	core->end = core->notes_at + whole_pages(notes_room(core->state));
	for (size_t i = 0; i < count && core->count < MEM_MAX_REGIONS; i++) {
		if (regions[i].kind != MEM_RAM && regions[i].kind != MEM_READONLY)
			continue;
		core->segments[core->count++] = (struct segment){ regions[i].start.v,
								  regions[i].start, regions[i].size,
								  core->end };
		core->end += regions[i].size;
	}
	core->regions = core->count;
	for (unsigned i = 0; i < core->state->map_count && i < CORE_MAX_MAPS; i++) {
		const struct core_map *map = &core->state->maps[i];
		uint64_t offset = offset_of(core, map->at, map->size);

		if (offset)
			core->segments[core->count++] =
				(struct segment){ map->address, map->at, map->size, offset };
	}
}

/* --- memory --- */

size_t core_find_vmcoreinfo(const uint8_t *page, size_t len, const char **text)
{
	static const char name[NOTE_NAME] = "VMCOREINFO";
	static const char first[] = "OSRELEASE=";
	const char *at = (const char *)page + NOTE_HEAD + NOTE_NAME;
	uint32_t size;

	if (len < NOTE_HEAD + NOTE_NAME + sizeof(first) ||
	    le32_load(page) != sizeof("VMCOREINFO") ||
	    memcmp(page + NOTE_HEAD, name, sizeof("VMCOREINFO")) != 0)
		return 0;
	size = le32_load(page + 4);
	if (size > len - NOTE_HEAD - NOTE_NAME || size < sizeof(first) ||
	    memcmp(at, first, sizeof(first) - 1) != 0)
		return 0;
	*text = at;
	for (uint32_t i = 0; i < size; i++) {
		if (at[i] == '\0')
			return i;
		if ((at[i] < ' ' || at[i] > '~') && at[i] != '\n')
			return 0;
	}
	return size;
}

/* The first one counts. The copy is judged: the guest may be changing it. */
static void look_for_info(struct core *core, const uint8_t *page)
{
	uint8_t copy[PAGE];
	const char *text;
	size_t size;

	if (core->info_size || le32_load(page) != sizeof("VMCOREINFO"))
		return;
	memcpy(copy, page, sizeof(copy));
	size = core_find_vmcoreinfo(copy, sizeof(copy), &text);
	if (size)
		memcpy(core->info, text, size);
	core->info_size = size;
}

static bool is_zero(const uint8_t *page)
{
	const uint64_t *words = (const uint64_t *)page;
	uint64_t any = 0;

	for (unsigned i = 0; i < PAGE / sizeof(*words) && !any; i += 8)
		any = words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] |
		      words[i + 5] | words[i + 6] | words[i + 7];
	return !any;
}

/*
 * Pages from @from on, @len bytes in all, to @offset: those that are not zero, run by run, and the last one of
 * all, which makes the file as long as its headers say.
 */
static int write_pages(struct core *core, const uint8_t *from, size_t len, uint64_t offset)
{
	size_t start = 0;
	int r = 0;

	for (size_t at = 0; !r && at <= len; at += PAGE) {
		bool last = offset + at + PAGE == core->end;
		bool data = at < len && (core->no_holes || last || !is_zero(from + at));

		if (data)
			look_for_info(core, from + at);
		if (data || at == start) {
			start = data ? start : at + PAGE;
			continue;
		}
		r = pwrite_full(core->fd, from + start, at - start, offset + start);
		core->written += at - start;
		start = at + PAGE;
	}
	return r;
}

static int write_segment(struct core *core, const struct segment *s, const atomic_bool *cancel)
{
	int r = 0;

	for (uint64_t done = 0; !r && done < s->size; done += CHUNK) {
		uint64_t len = u64_min(CHUNK, s->size - done);
		struct iovec iov[1];
		int n = mem_segments(core->mem, gpa_add(s->at, done), len, MEM_READ, iov, 1);

		if (n < 0)
			return n;
		if (atomic_load(cancel))
			return -ECANCELED;
		r = write_pages(core, iov[0].iov_base, (size_t)len, s->offset + done);
		core->seen += len;
		if (core->progress)
			progress_step(core->progress, core->seen);
	}
	return r;
}

/* --- notes and headers --- */

/* A note at *@at, which moves behind it. */
static void add_note(uint8_t **at, const char *name, uint32_t type, const void *data, size_t size)
{
	size_t padded = (size + 3) & ~(size_t)3;

	le32_store(*at, (uint32_t)strlen(name) + 1);
	le32_store(*at + 4, (uint32_t)size);
	le32_store(*at + 8, type);
	memcpy(*at + NOTE_HEAD, name, strlen(name) + 1);
	*at += NOTE_HEAD + ((strlen(name) + 4) & ~(size_t)3);
	memcpy(*at, data, size);
	*at += padded;
}

static void add_cpu(uint8_t **at, const struct core_state *state, unsigned cpu)
{
	uint8_t status[STATUS_REGS + CORE_REGS_MAX + STATUS_TAIL] = { 0 };

	le32_store(status + STATUS_PID, cpu + 1);
	memcpy(status + STATUS_REGS, state->regs[cpu], state->regs_size);
	add_note(at, "CORE", NT_PRSTATUS, status, STATUS_REGS + state->regs_size + STATUS_TAIL);
}

static int write_notes(struct core *core, uint64_t *size)
{
	const struct core_state *state = core->state;
	uint8_t *notes = calloc(1, notes_room(state));
	uint8_t *at = notes;
	int r;

	if (!notes)
		return -ENOMEM;
	for (unsigned i = 0; i < state->cpus; i++)
		add_cpu(&at, state, i);
	if (core->info_size)
		add_note(&at, "VMCOREINFO", 0, core->info, core->info_size);
	*size = (uint64_t)(at - notes);
	r = pwrite_full(core->fd, notes, (size_t)(at - notes), core->notes_at);
	free(notes);
	return r;
}

static int write_headers(const struct core *core, uint64_t notes_size)
{
	struct {
		Elf64_Ehdr file;
		Elf64_Phdr parts[1 + MAX_SEGMENTS];
	} h = {
		.file = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_CORE,
			.e_machine = core->state->machine,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = (Elf64_Half)(1 + core->count),
		},
		.parts[0] = { .p_type = PT_NOTE, .p_offset = core->notes_at, .p_filesz = notes_size,
			      .p_align = 4 },
	};

	for (unsigned i = 0; i < core->count; i++) {
		const struct segment *s = &core->segments[i];

		h.parts[1 + i] = (Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W | PF_X,
			.p_offset = s->offset,
			.p_vaddr = s->address,
			.p_paddr = s->at.v,
			.p_filesz = s->size,
			.p_memsz = s->size,
			.p_align = PAGE,
		};
	}
	return pwrite_full(core->fd, &h,
			   sizeof(Elf64_Ehdr) + (1 + core->count) * sizeof(Elf64_Phdr), 0);
}

static int write_all(struct core *core, const atomic_bool *cancel)
{
	uint64_t notes_size = 0;
	int r = 0;

	for (unsigned i = 0; !r && i < core->regions; i++)
		r = write_segment(core, &core->segments[i], cancel);
	if (!r)
		r = write_notes(core, &notes_size);
	return r ? r : write_headers(core, notes_size);
}

/*
 * Makes holes of what the file has, for holes are what zeroes become; not by cutting it, since that call
 * is on nobody's list in the sandbox. A file system without holes gets every page.
 */
static int make_holes(struct core *core)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (fallocate(core->fd, mode, 0, (off_t)core->end) == 0)
		return 0;
	core->no_holes = errno == EOPNOTSUPP || errno == ENOSYS;
	return core->no_holes ? 0 : -errno;
}

int core_write(const struct guest_mem *mem, const struct core_state *state, int fd,
	       const atomic_bool *cancel, uint64_t *written, struct progress *progress)
{
	struct core core = { .mem = mem, .state = state, .fd = fd, .progress = progress };
	int r;

	place_segments(&core);
	r = make_holes(&core);
	if (!r)
		r = write_all(&core, cancel);
	/* Without a header it is no core; its room goes back. */
	if (r < 0)
		(void)make_holes(&core);
	*written = core.written;
	return r;
}
