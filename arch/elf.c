/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF kernels: judges the program headers, walks notes, copies the segments to their addresses. */
#include "arch/elf.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "base/diag.h"
#include "base/le.h"

enum {
	PAGE = 4096,

	EHDR_SIZE = 64,
	E_CLASS = 4,
	E_DATA = 5,
	E_TYPE = 16,
	E_MACHINE = 18,
	E_ENTRY = 24,
	E_PHOFF = 32,
	E_PHENTSIZE = 54,
	E_PHNUM = 56,
	CLASS_64 = 2,
	DATA_LSB = 1,
	TYPE_REL = 1,
	TYPE_EXEC = 2,
	TYPE_DYN = 3,

	PHDR_SIZE = 56,
	P_TYPE = 0,
	P_OFFSET = 8,
	P_PADDR = 24,
	P_FILESZ = 32,
	P_MEMSZ = 40,
	P_ALIGN = 48,
	PT_LOAD = 1,
	PT_NOTE = 4,

	NOTE_HEADER = 12,
};

static int bad(const struct kernel_file *kernel, const char *why)
{
	diag_error("kernel %s: %s", kernel->name, why);
	return -ENOEXEC;
}

static int refuse_machine(const struct kernel_file *kernel, unsigned machine)
{
	static const struct {
		unsigned machine;
		const char *name;
	} known[] = {
		{ 3, "i386" },	  { 8, "mips" },    { 21, "ppc64" },
		{ 22, "s390" },	  { 40, "arm" },    { 62, "x86-64" },
		{ 183, "arm64" }, { 243, "riscv" }, { 258, "loongarch" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].machine != machine)
			continue;
		diag_error("kernel %s: this is an ELF file for %s; this hvrun runs %s guests",
			   kernel->name, known[i].name, arch_name);
		return -ENOEXEC;
	}
	diag_error("kernel %s: this is an ELF file for machine %u; this hvrun runs %s guests",
		   kernel->name, machine, arch_name);
	return -ENOEXEC;
}

static int refuse_big_endian(const struct kernel_file *kernel)
{
	diag_error("kernel %s: a big-endian ELF file; this hvrun runs %s guests", kernel->name,
		   arch_name);
	return -ENOEXEC;
}

static int judge_header(const struct kernel_file *kernel, unsigned machine)
{
	const uint8_t *h = kernel->data;
	unsigned type;

	if (kernel->size < EHDR_SIZE) {
		diag_error("kernel %s: truncated: an ELF header has %d bytes, the file has %zu",
			   kernel->name, EHDR_SIZE, kernel->size);
		return -ENOEXEC;
	}
	if (h[E_DATA] != DATA_LSB)
		return refuse_big_endian(kernel);
	if (le16_load(h + E_MACHINE) != machine)
		return refuse_machine(kernel, le16_load(h + E_MACHINE));
	if (h[E_CLASS] != CLASS_64)
		return bad(kernel, "a 32-bit ELF file; a 64-bit one is needed");
	type = le16_load(h + E_TYPE);
	if (type == TYPE_REL)
		return bad(kernel, "an ELF object file or module; an executable is needed");
	if (type != TYPE_EXEC && type != TYPE_DYN)
		return bad(kernel, "this ELF file is not an executable");
	if (le16_load(h + E_PHENTSIZE) != PHDR_SIZE && le16_load(h + E_PHNUM)) {
		diag_error("kernel %s: program headers of %u bytes; ELF has them of %d",
			   kernel->name, le16_load(h + E_PHENTSIZE), PHDR_SIZE);
		return -ENOEXEC;
	}
	if (le16_load(h + E_PHNUM) > ELF_PHDRS_MAX) {
		diag_error("kernel %s: %u program headers; at most %d are taken", kernel->name,
			   le16_load(h + E_PHNUM), ELF_PHDRS_MAX);
		return -ENOEXEC;
	}
	if (!range_fits(le64_load(h + E_PHOFF), (uint64_t)le16_load(h + E_PHNUM) * PHDR_SIZE,
			kernel->size))
		return bad(kernel, "truncated: its program headers lie beyond the file's end");
	return 0;
}

/* Copies the PT_LOAD header @ph into the list; what takes no memory is left out. */
static int take_segment(struct elf *elf, const struct elf_target *target, const uint8_t *ph)
{
	const struct kernel_file *kernel = elf->kernel;
	struct elf_segment s = {
		.offset = le64_load(ph + P_OFFSET),
		.filesz = le64_load(ph + P_FILESZ),
		.paddr = le64_load(ph + P_PADDR),
		.memsz = le64_load(ph + P_MEMSZ),
	};

	if (s.filesz > s.memsz) {
		diag_error("kernel %s: segment at 0x%" PRIx64 ": %" PRIu64
			   " bytes in the file, more than its %" PRIu64 " in memory",
			   kernel->name, s.paddr, s.filesz, s.memsz);
		return -ENOEXEC;
	}
	if (!s.memsz)
		return 0;
	if (!range_fits(s.offset, s.filesz, kernel->size)) {
		diag_error("kernel %s: truncated: the segment at 0x%" PRIx64 " has %" PRIu64
			   " bytes at offset %" PRIu64 ", the file has %zu",
			   kernel->name, s.paddr, s.filesz, s.offset, kernel->size);
		return -ENOEXEC;
	}
	if (s.paddr < target->min || !range_fits(s.paddr, s.memsz, target->max)) {
		diag_error("kernel %s: the segment at 0x%" PRIx64 " with %" PRIu64
			   " bytes is not between 0x%" PRIx64 " and 0x%" PRIx64
			   ", where kernels can be",
			   kernel->name, s.paddr, s.memsz, target->min, target->max);
		return -ENOEXEC;
	}
	for (size_t i = 0; i < elf->load_count; i++) {
		const struct elf_segment *o = &elf->load[i];

		if (s.paddr < o->paddr + o->memsz && o->paddr < s.paddr + s.memsz) {
			diag_error("kernel %s: the segments at 0x%" PRIx64 " and 0x%" PRIx64
				   " overlap",
				   kernel->name, o->paddr, s.paddr);
			return -ENOEXEC;
		}
	}
	elf->load[elf->load_count++] = s;
	return 0;
}

enum walk { WALK_NONE, WALK_FOUND, WALK_BROKEN };

/* The note that is looked for, and its value when it is found. */
struct wanted {
	const char *owner;
	uint32_t type;
	uint64_t value;
};

/* Takes the value out of a note that is the wanted one; a 32-bit or a 64-bit number. */
static enum walk take_note(struct wanted *wanted, const uint8_t *name, uint32_t namesz,
			   const uint8_t *desc, uint32_t descsz, uint32_t type)
{
	size_t owner = strlen(wanted->owner) + 1;

	if (type != wanted->type || namesz != owner || memcmp(name, wanted->owner, owner) != 0)
		return WALK_NONE;
	if (descsz != 4 && descsz != 8)
		return WALK_BROKEN;
	wanted->value = descsz == 4 ? le32_load(desc) : le64_load(desc);
	return WALK_FOUND;
}

/* Looks for the note in @size bytes of notes, each part padded to @align (4 or 8). */
static enum walk walk_notes(struct elf *elf, struct wanted *wanted, const uint8_t *notes,
			    uint64_t size, uint64_t align)
{
	uint64_t at = 0;

	/* Each turn goes on by a note's header at least, and the sums of 32-bit sizes cannot wrap. */
	while (at < size && size - at >= NOTE_HEADER) {
		uint32_t namesz = le32_load(notes + at), descsz = le32_load(notes + at + 4);
		uint32_t type = le32_load(notes + at + 8);
		uint64_t name = at + NOTE_HEADER;
		uint64_t desc = u64_align_down(name + namesz + align - 1, align);
		enum walk w;

		if (!elf->notes_left || !range_fits(name, namesz, size) ||
		    !range_fits(desc, descsz, size))
			return WALK_BROKEN;
		elf->notes_left--;
		w = take_note(wanted, notes + name, namesz, notes + desc, descsz, type);
		if (w != WALK_NONE)
			return w;
		at = u64_align_down(desc + descsz + align - 1, align);
	}
	return WALK_NONE;
}

/*
 * Looks for the note in a PT_NOTE segment. Notes are padded to 4 bytes; in segments that claim
 * an alignment of 8, linkers are of two minds, so both are tried. No other claim is believed.
 */
static int take_notes(struct elf *elf, struct wanted *wanted, const uint8_t *ph)
{
	uint64_t offset = le64_load(ph + P_OFFSET), size = le64_load(ph + P_FILESZ);
	const uint8_t *notes;
	enum walk w;

	if (!range_fits(offset, size, elf->kernel->size))
		return bad(elf->kernel, "truncated: its notes lie beyond the file's end");
	notes = elf->kernel->data + offset;
	w = walk_notes(elf, wanted, notes, size, 4);
	if (w != WALK_FOUND && le64_load(ph + P_ALIGN) == 8)
		w = walk_notes(elf, wanted, notes, size, 8);
	if (w == WALK_BROKEN)
		return bad(elf->kernel, "its ELF notes contradict themselves, or are too many");
	return w == WALK_FOUND;
}

/* The program headers; judge_header() knows that all of them are in the file. */
static const uint8_t *program_headers(const struct kernel_file *kernel, unsigned *count)
{
	*count = le16_load(kernel->data + E_PHNUM);
	return *count ? kernel->data + le64_load(kernel->data + E_PHOFF) : NULL;
}

int elf_judge(const struct kernel_file *kernel, const struct elf_target *target, struct elf *elf)
{
	unsigned count;
	int r = judge_header(kernel, target->machine);

	if (r)
		return r;
	*elf = (struct elf){
		.kernel = kernel,
		.notes_left = ELF_NOTES_MAX,
		.entry = le64_load(kernel->data + E_ENTRY),
	};

	const uint8_t *ph = program_headers(kernel, &count);

	for (unsigned i = 0; i < count && !r; i++, ph += PHDR_SIZE) {
		if (le32_load(ph + P_TYPE) == PT_LOAD)
			r = take_segment(elf, target, ph);
	}
	if (!r && !elf->load_count)
		return bad(kernel, "this ELF file has no segment to load");
	return r;
}

int elf_note(struct elf *elf, const char *owner, uint32_t type, uint64_t *value)
{
	struct wanted wanted = { .owner = owner, .type = type };
	unsigned count;
	const uint8_t *ph = program_headers(elf->kernel, &count);
	int r = 0;

	for (unsigned i = 0; i < count && !r; i++, ph += PHDR_SIZE) {
		if (le32_load(ph + P_TYPE) == PT_NOTE)
			r = take_notes(elf, &wanted, ph);
	}
	*value = wanted.value;
	return r;
}

int elf_judge_entry(const struct elf *elf, const char *what, uint64_t entry)
{
	for (size_t i = 0; i < elf->load_count; i++) {
		const struct elf_segment *s = &elf->load[i];

		if (entry >= s->paddr && entry - s->paddr < s->filesz)
			return 0;
	}
	diag_error("kernel %s: the %s 0x%" PRIx64 " lies in no segment (it has to be a physical "
		   "address)",
		   elf->kernel->name, what, entry);
	return -ENOEXEC;
}

/* Looks at all segments before the first byte is copied. */
static int judge_ram(const struct elf *elf, const struct elf_target *target)
{
	for (size_t i = 0; i < elf->load_count; i++) {
		const struct elf_segment *s = &elf->load[i];

		if (range_fits(s->paddr, s->memsz, target->ram_end))
			continue;
		diag_error("kernel %s: it needs RAM to %" PRIu64 " MiB, the guest has %" PRIu64
			   " MiB; give it more memory",
			   elf->kernel->name,
			   (s->paddr - target->ram + s->memsz + (1 << 20) - 1) >> 20,
			   (target->ram_end - target->ram) >> 20);
		return -ENOSPC;
	}
	return 0;
}

int elf_copy(const struct elf *elf, const struct elf_target *target, struct guest_mem *mem,
	     uint64_t *end)
{
	uint64_t last = 0;
	int r = judge_ram(elf, target);

	for (size_t i = 0; i < elf->load_count && !r; i++) {
		const struct elf_segment *s = &elf->load[i];

		r = mem_write(mem, gpa(s->paddr), elf->kernel->data + s->offset, (size_t)s->filesz);
		last = u64_max(last, s->paddr + s->memsz);
	}
	*end = u64_align_down(last + PAGE - 1, PAGE);
	return r;
}
