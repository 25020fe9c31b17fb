/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/core/elf: a core as a reader of ELF files sees it; and the one note that a guest may write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/le.h"
#include "vm/core/elf.h"

enum {
	PAGE = 4096,
	LOW = 0x400000,	      /* bytes of the first region */
	HIGH = 0x200000,      /* of the second, */
	HIGH_AT = 0x40000000, /* there */
};

static struct guest_mem *mem;
static struct core_state state;
static const atomic_bool go_on;
static int fd;

static int setup(void **unused)
{
	(void)unused;
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add(mem, gpa(0), LOW, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(LOW), PAGE, MEM_REGISTERS), 0);
	assert_int_equal(mem_add(mem, gpa(LOW + PAGE), HIGH_AT - LOW - PAGE, MEM_HOLE), 0);
	assert_int_equal(mem_add(mem, gpa(HIGH_AT), HIGH, MEM_RAM), 0);
	state = (struct core_state){ .machine = EM_X86_64, .cpus = 2, .regs_size = 16 };
	memset(state.regs[0], 0x11, 16);
	memset(state.regs[1], 0x22, 16);
	fd = memfd_create("core", MFD_CLOEXEC);
	return fd < 0 ? -1 : 0;
}

static int teardown(void **unused)
{
	(void)unused;
	close(fd);
	mem_destroy(mem);
	return 0;
}

static void get(uint64_t offset, void *to, size_t len)
{
	assert_int_equal(pread_full(fd, to, len, offset), (ssize_t)len);
}

static Elf64_Phdr part(unsigned i)
{
	Elf64_Phdr p;

	get(sizeof(Elf64_Ehdr) + i * sizeof(p), &p, sizeof(p));
	return p;
}

/* The notes' text: where @name's data begins in *@data. */
static bool find_note(const char *name, uint32_t type, unsigned which, uint8_t *data, size_t *size)
{
	Elf64_Phdr notes = part(0);
	static uint8_t bytes[64 << 10];

	assert_in_range(notes.p_filesz, 1, sizeof(bytes));
	get(notes.p_offset, bytes, notes.p_filesz);
	for (size_t at = 0; at + 12 <= notes.p_filesz;) {
		size_t name_size = (le32_load(bytes + at) + 3) & ~3U;
		size_t data_size = le32_load(bytes + at + 4);

		if (strcmp((char *)bytes + at + 12, name) == 0 &&
		    le32_load(bytes + at + 8) == type && !which--) {
			*size = data_size;
			memcpy(data, bytes + at + 12 + name_size, data_size);
			return true;
		}
		at += 12 + name_size + ((data_size + 3) & ~(size_t)3);
	}
	return false;
}

static void test_core(void **unused)
{
	uint64_t written = 0;
	uint8_t data[8192];
	size_t size;
	struct stat st;
	Elf64_Ehdr head;

	(void)unused;
	mem_fill(mem, gpa(PAGE), 0xab, 10);
	mem_fill(mem, gpa(3 * PAGE - 1), 0xcd, 2); /* across two pages */
	mem_fill(mem, gpa(HIGH_AT + HIGH - 1), 0xef, 1);
	state.map_count = 2;
	state.maps[0] = (struct core_map){ UINT64_C(0xffff888000000000), gpa(0), LOW };
	state.maps[1] = (struct core_map){ 0xffffffff81000000, gpa(LOW - PAGE), 2 * PAGE };
	assert_int_equal(core_write(mem, &state, fd, &go_on, &written, NULL), 0);
	assert_int_equal(written, 4 * PAGE);

	get(0, &head, sizeof(head));
	assert_memory_equal(head.e_ident, ELFMAG, SELFMAG);
	assert_int_equal(head.e_type, ET_CORE);
	assert_int_equal(head.e_machine, EM_X86_64);
	assert_int_equal(head.e_phnum,
			 4); /* notes, two regions, one map: the other leaves its region */
	/* crash looks for the notes before the first region. */
	assert_int_equal(part(0).p_offset, PAGE);
	assert_in_range(part(1).p_offset, PAGE + part(0).p_filesz, 64 * PAGE);
	assert_int_equal(part(1).p_paddr, 0);
	assert_int_equal(part(1).p_filesz, LOW);
	assert_int_equal(part(2).p_paddr, HIGH_AT);
	assert_int_equal(part(2).p_vaddr, HIGH_AT);
	assert_int_equal(part(3).p_vaddr, UINT64_C(0xffff888000000000));
	assert_int_equal(part(3).p_offset, part(1).p_offset);

	get(part(1).p_offset + PAGE + 9, data, 2);
	assert_int_equal(data[0], 0xab);
	assert_int_equal(data[1], 0);
	get(part(1).p_offset + 3 * PAGE - 1, data, 2);
	assert_int_equal(data[1], 0xcd);
	get(part(2).p_offset + HIGH - 1, data, 1);
	assert_int_equal(data[0], 0xef);
	/* The rest is holes. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, part(2).p_offset + HIGH);
	assert_in_range(st.st_blocks * 512, 1, 16 * PAGE);

	assert_true(find_note("CORE", NT_PRSTATUS, 1, data, &size));
	assert_int_equal(size, 112 + 16 + 8);
	assert_int_equal(le32_load(data + 32), 2); /* its number for gdb */
	assert_int_equal(data[112], 0x22);
	assert_false(find_note("CORE", NT_PRSTATUS, 2, data, &size));
	assert_false(find_note("VMCOREINFO", 0, 0, data, &size));
}

/* As many stacks as there can be: the headers take more than a page, and everything moves. */
static void test_many_maps(void **unused)
{
	uint64_t written = 0;
	Elf64_Ehdr head;
	uint8_t data[8192];
	size_t size;

	(void)unused;
	mem_fill(mem, gpa(PAGE), 0xab, 10);
	state.map_count = CORE_MAX_MAPS;
	for (unsigned i = 0; i < CORE_MAX_MAPS; i++)
		state.maps[i] = (struct core_map){ UINT64_C(0xffffc90000000000) + 2 * i * PAGE,
						   gpa(i % 2 * PAGE), PAGE };
	assert_int_equal(core_write(mem, &state, fd, &go_on, &written, NULL), 0);
	get(0, &head, sizeof(head));
	assert_int_equal(head.e_phnum, 3 + CORE_MAX_MAPS);
	assert_in_range(part(0).p_offset, sizeof(head) + head.e_phnum * sizeof(Elf64_Phdr),
			part(1).p_offset - 1);
	assert_true(find_note("CORE", NT_PRSTATUS, 1, data, &size));
	get(part(1).p_offset + PAGE, data, 1);
	assert_int_equal(data[0], 0xab);
	assert_int_equal(part(head.e_phnum - 1).p_vaddr,
			 0xffffc90000000000 + 2 * (CORE_MAX_MAPS - 1) * PAGE);
	assert_int_equal(part(head.e_phnum - 1).p_offset, part(1).p_offset + PAGE);
	state.map_count = 0;
}

static void put_info(uint64_t at, uint32_t size, const char *text, size_t len)
{
	uint8_t head[24] = { 0 };

	le32_store(head, 11);
	le32_store(head + 4, size);
	memcpy(head + 12, "VMCOREINFO", 10);
	mem_write(mem, gpa(at), head, sizeof(head));
	mem_write(mem, gpa(at + sizeof(head)), text, len);
}

static void test_vmcoreinfo(void **unused)
{
	static const char good[] = "OSRELEASE=6.1.0\nPAGESIZE=4096\n";
	uint8_t data[8192];
	uint64_t written;
	struct stat st;
	size_t size = 0;

	(void)unused;
	put_info(PAGE + 8, sizeof(good) - 1, good, sizeof(good)); /* not at a page's start */
	put_info(2 * PAGE, 5000, good, sizeof(good));		  /* longer than its page */
	put_info(3 * PAGE, UINT32_MAX, good, sizeof(good));
	put_info(4 * PAGE, 4, good, sizeof(good));
	put_info(5 * PAGE, 30, "OSRELEASE=\x1b[31m6.1.0 and so on", 30);
	put_info(6 * PAGE, 30, "PAGESIZE=4096\nOSRELEASE=6.1.0\n", 30);
	assert_int_equal(core_write(mem, &state, fd, &go_on, &written, NULL), 0);
	assert_false(find_note("VMCOREINFO", 0, 0, data, &size));

	put_info(HIGH_AT + 7 * PAGE, sizeof(good) - 1, good, sizeof(good));
	put_info(HIGH_AT + 8 * PAGE, 17, "OSRELEASE=second\n", 17);
	assert_int_equal(core_write(mem, &state, fd, &go_on, &written, NULL), 0);
	assert_true(find_note("VMCOREINFO", 0, 0, data, &size));
	assert_int_equal(size, sizeof(good) - 1);
	assert_memory_equal(data, good, size);
	/* The last page is zeroes, and the file as long as its headers say. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, part(2).p_offset + HIGH);
}

static void test_what_cannot_be_written(void **unused)
{
	const atomic_bool cancelled = true;
	uint64_t written;
	struct stat st;
	char mark[4];
	int pipes[2];

	(void)unused;
	mem_fill(mem, gpa(0), 1, PAGE);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(core_write(mem, &state, pipes[1], &go_on, &written, NULL), -ESPIPE);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(core_write(mem, &state, fd, &cancelled, &written, NULL), -ECANCELED);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	/* A core that is written over another has none of its pages. */
	assert_int_equal(core_write(mem, &state, fd, &go_on, &written, NULL), 0);
	get(part(1).p_offset, mark, 1);
	assert_int_equal(mark[0], 1);
	mem_fill(mem, gpa(0), 0, PAGE);
	assert_int_equal(core_write(mem, &state, fd, &go_on, &written, NULL), 0);
	get(part(1).p_offset, mark, 1);
	assert_int_equal(mark[0], 0);
	mem_fill(mem, gpa(0), 1, PAGE);
	assert_int_equal(core_write(mem, &state, fd, &cancelled, &written, NULL), -ECANCELED);
	if (pread_full(fd, mark, 4, 0) == 4)
		assert_memory_not_equal(mark, ELFMAG, SELFMAG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_core, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vmcoreinfo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_written, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
