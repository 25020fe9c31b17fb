/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core of a guest that is the input: its memory, the note that it keeps for who reads cores, and where its page tables
 * say that memory is seen. The file is an ELF core whose parts lie inside of it and hold the memory; the note is
 * text of one page.
 *
 * Input: a byte of how many vCPUs, one of how many maps, for each map 8 bytes (page, pages, address), then memory from
 * its first page on.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/io.h"
#include "base/le.h"
#include "vm/core/elf.h"

enum { PAGE = 4096, LOW = 8 * PAGE, HIGH = 4 * PAGE, HIGH_AT = 0x100000, MAP_BYTES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void get(int fd, uint64_t at, void *to, size_t len)
{
	require(pread_full(fd, to, len, at) == (ssize_t)len);
}

static void judge_note(const uint8_t *page, size_t len)
{
	const char *text = NULL;
	size_t found = core_find_vmcoreinfo(page, len, &text);

	if (!found)
		return;
	require((const uint8_t *)text > page &&
		found <= len - (size_t)((const uint8_t *)text - page));
	for (size_t i = 0; i < found; i++)
		require((text[i] >= ' ' && text[i] <= '~') || text[i] == '\n');
}

static struct guest_mem *make_memory(const uint8_t *data, size_t size)
{
	struct guest_mem *mem;

	require(mem_create(&mem) == 0 && mem_add(mem, gpa(0), LOW, MEM_RAM) == 0 &&
		mem_add(mem, gpa(LOW), PAGE, MEM_REGISTERS) == 0 &&
		mem_add(mem, gpa(HIGH_AT), HIGH, MEM_RAM) == 0);
	require(mem_write(mem, gpa(0), data, size_min(size, LOW)) == 0);
	if (size > LOW)
		require(mem_write(mem, gpa(HIGH_AT), data + LOW, size_min(size - LOW, HIGH)) == 0);
	return mem;
}

/* Each part lies in the file and holds what the guest has there. */
static void judge_part(int fd, const struct guest_mem *mem, const Elf64_Phdr *part, uint64_t end)
{
	uint8_t there[PAGE], here[PAGE];

	require(range_fits(part->p_offset, part->p_filesz, end) && part->p_filesz == part->p_memsz);
	require(part->p_offset % PAGE == 0 && part->p_filesz % PAGE == 0);
	for (uint64_t at = 0; at < part->p_filesz; at += PAGE) {
		require(mem_read(mem, gpa(part->p_paddr + at), here, PAGE) == 0);
		get(fd, part->p_offset + at, there, PAGE);
		require(memcmp(here, there, PAGE) == 0);
	}
}

static void judge_core(int fd, const struct guest_mem *mem, const struct core_state *state)
{
	uint64_t end = (uint64_t)lseek(fd, 0, SEEK_END);
	Elf64_Phdr part;
	Elf64_Ehdr head;

	get(fd, 0, &head, sizeof(head));
	require(memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_type == ET_CORE);
	require(head.e_phnum >= 3 && head.e_phnum <= 3 + state->map_count);
	for (unsigned i = 0; i < head.e_phnum; i++) {
		get(fd, sizeof(head) + i * sizeof(part), &part, sizeof(part));
		require(part.p_type == (i ? PT_LOAD : PT_NOTE));
		require(part.p_offset >= sizeof(head) + head.e_phnum * sizeof(part));
		if (i)
			judge_part(fd, mem, &part, end);
		else
			require(range_fits(part.p_offset, part.p_filesz, end));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const atomic_bool go_on;
	static struct core_state state;
	struct guest_mem *mem;
	uint64_t written = 0;
	int fd = memfd_create("core", MFD_CLOEXEC);

	require(fd >= 0);
	if (size < 2) {
		close(fd);
		return 0;
	}
	state = (struct core_state){ .machine = EM_X86_64,
				     .cpus = data[0] % CORE_MAX_CPUS + 1U,
				     .regs_size = data[0] % 2 ? CORE_REGS_MAX : 16 };
	state.map_count = (unsigned)size_min(data[1], (size - 2) / MAP_BYTES);
	for (unsigned i = 0; i < state.map_count; i++) {
		const uint8_t *map = data + 2 + i * MAP_BYTES;

		state.maps[i] = (struct core_map){ (uint64_t)le32_load(map + 4) << 32,
						   gpa((uint64_t)le16_load(map) * PAGE),
						   (uint64_t)le16_load(map + 2) * PAGE };
	}
	data += 2 + state.map_count * MAP_BYTES;
	size -= 2 + state.map_count * MAP_BYTES;
	judge_note(data, size_min(size, PAGE));
	mem = make_memory(data, size);
	require(core_write(mem, &state, fd, &go_on, &written, NULL) == 0 && written <= LOW + HIGH);
	judge_core(fd, mem, &state);
	mem_destroy(mem);
	close(fd);
	return 0;
}
