/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/symbols: places by System.map and by ELF, what lies outside, and damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm/symbols.h"

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("symbols", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	return fd;
}

static int read_bytes(const void *data, size_t len, struct symbols *symbols)
{
	const char *why = NULL;
	int fd = file_of(data, len);
	int r = symbols_read(fd, len, symbols, &why);

	close(fd);
	assert_true(r != -ENOEXEC || why);
	return r;
}

static const char map[] = "0000000000000000 D __per_cpu_start\n"
			  "0000000000000000 A absolute\n"
			  "ffffffff81000000 T _text\n"
			  "ffffffff81000000 T startup_64\n"
			  "ffffffff81000100 t middle.cold\n"
			  "ffffffff81000200 A not_a_place\n"
			  "ffffffff81001000 T start_kernel\n"
			  "ffffffff82000000 B _end\n";

static void test_system_map(void **state)
{
	struct symbols_place place;
	struct symbols symbols;

	(void)state;
	assert_int_equal(read_bytes(map, sizeof(map) - 1, &symbols), 0);
	assert_int_equal(symbols_find(&symbols, 0xffffffff81000000, &place), 0);
	assert_string_equal(place.name, "_text");
	assert_int_equal(place.offset, 0);
	assert_int_equal(symbols_find(&symbols, 0xffffffff81000fff, &place), 0);
	assert_string_equal(place.name, "middle.cold");
	assert_int_equal(place.offset, 0xeff);
	assert_int_equal(symbols_find(&symbols, 0xffffffff81001010, &place), 0);
	assert_string_equal(place.name, "start_kernel");
	/* At and beyond the last symbol nothing is known. */
	assert_int_equal(symbols_find(&symbols, 0xffffffff82000000, &place), -ENOENT);
	assert_int_equal(symbols_find(&symbols, UINT64_MAX, &place), -ENOENT);
	symbols_release(&symbols);
}

/* An address below every place of the kernel, as of a program or a kernel that was moved down. */
static void test_below_everything(void **state)
{
	struct symbols_place place;
	struct symbols symbols;
	const char *text = strchr(map, '\n') + 1;

	(void)state;
	assert_int_equal(read_bytes(text, strlen(text), &symbols), 0);
	assert_int_equal(symbols_find(&symbols, 0x401000, &place), -ENOENT);
	symbols_release(&symbols);
}

static void test_text_in_disorder(void **state)
{
	static const char odd[] =
		"ffffffff81001000 T b\nffffffff81000000 T a\n\n\nnonsense\n"
		"fffffff\nffffffff81000800\nffffffff81000900 \nffffffff81000a00 T\n"
		"ffffffff81000b00 T \nffffffff810";
	struct symbols_place place;
	struct symbols symbols;

	(void)state;
	assert_int_equal(read_bytes(odd, sizeof(odd) - 1, &symbols), 0);
	assert_int_equal(symbols_find(&symbols, 0xffffffff81000fff, &place), 0);
	assert_string_equal(place.name, "a");
	assert_int_equal(symbols_find(&symbols, 0xffffffff81001000, &place), -ENOENT);
	symbols_release(&symbols);
}

static void test_long_names_are_cut(void **state)
{
	char text[1024] = "ffffffff81000000 T ";
	struct symbols_place place;
	struct symbols symbols;

	(void)state;
	memset(text + strlen(text), 'n', 900);
	strcat(text, "\nffffffff81000010 T end\n");
	assert_int_equal(read_bytes(text, strlen(text), &symbols), 0);
	assert_int_equal(symbols_find(&symbols, 0xffffffff81000001, &place), 0);
	assert_int_equal(strlen(place.name), SYMBOLS_NAME_MAX - 1);
	symbols_release(&symbols);
}

/* Header, three section headers (none, symtab, strtab), three symbols, names. */
struct file {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3];
	Elf64_Sym symbols[4];
	char names[32];
};

static void make_file(struct file *file)
{
	*file = (struct file){
		.header = { .e_shoff = offsetof(struct file, sections),
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 3 },
		.sections = { { .sh_type = SHT_NULL },
			      { .sh_type = SHT_SYMTAB,
				.sh_link = 2,
				.sh_offset = offsetof(struct file, symbols),
				.sh_size = sizeof(file->symbols) },
			      { .sh_type = SHT_STRTAB,
				.sh_offset = offsetof(struct file, names),
				.sh_size = sizeof(file->names) } },
		.symbols = { { .st_value = 0 },
			     { .st_name = 1, .st_shndx = 1, .st_value = 0x1000 },
			     { .st_name = 1 << 30, .st_shndx = 1, .st_value = 0x1800 },
			     { .st_name = 7, .st_shndx = 1, .st_value = 0x2000 } },
		.names = "\0first\0last",
	};
	memcpy(file->header.e_ident, ELFMAG, SELFMAG);
	file->header.e_ident[EI_CLASS] = ELFCLASS64;
	file->header.e_ident[EI_DATA] = ELFDATA2LSB;
}

static void test_elf(void **state)
{
	struct symbols_place place;
	struct symbols symbols;
	struct file file;

	(void)state;
	make_file(&file);
	assert_int_equal(read_bytes(&file, sizeof(file), &symbols), 0);
	assert_int_equal(symbols_find(&symbols, 0x1fff, &place), 0);
	assert_string_equal(place.name, "first");
	assert_int_equal(place.offset, 0xfff);
	assert_int_equal(symbols_find(&symbols, 0xfff, &place), -ENOENT);
	assert_int_equal(symbols_find(&symbols, 0x2000, &place), -ENOENT);
	symbols_release(&symbols);
}

/* A name table without a zero at its end is not read beyond it (a sanitizer would see). */
static void test_elf_names_without_end(void **state)
{
	struct symbols_place place;
	struct symbols symbols;
	struct file file;

	(void)state;
	make_file(&file);
	memset(file.names + 1, 'x', sizeof(file.names) - 1);
	assert_int_equal(read_bytes(&file, sizeof(file), &symbols), 0);
	assert_int_equal(symbols_find(&symbols, 0x1001, &place), 0);
	assert_int_equal(strlen(place.name), sizeof(file.names) - 1);
	symbols_release(&symbols);
}

static void refused(const struct file *file, size_t len)
{
	struct symbols symbols;

	assert_int_equal(read_bytes(file, len, &symbols), -ENOEXEC);
	assert_null(symbols.map);
	assert_null(symbols.names);
}

static void test_elf_damaged(void **state)
{
	struct file file;

	(void)state;
	for (size_t len = 4; len < sizeof(file); len += 8) {
		make_file(&file);
		refused(&file, len);
	}
	make_file(&file);
	file.sections[1].sh_link = 3;
	refused(&file, sizeof(file));
	make_file(&file);
	file.sections[1].sh_link = 1;
	refused(&file, sizeof(file));
	make_file(&file);
	file.sections[1].sh_type = SHT_PROGBITS;
	refused(&file, sizeof(file));
	make_file(&file);
	file.sections[2].sh_size = UINT64_MAX;
	refused(&file, sizeof(file));
	make_file(&file);
	file.sections[1].sh_offset = UINT64_MAX - 8;
	refused(&file, sizeof(file));
	make_file(&file);
	file.header.e_shnum = 0xffff;
	refused(&file, sizeof(file));
	make_file(&file);
	file.header.e_ident[EI_CLASS] = ELFCLASS32;
	refused(&file, sizeof(file));
}

static void test_other_files(void **state)
{
	struct symbols symbols;

	(void)state;
	assert_int_equal(read_bytes("", 0, &symbols), -ENOEXEC);
	assert_int_equal(read_bytes("words\n", 6, &symbols), -ENOEXEC);
	assert_int_equal(read_bytes("ffffffff81000000 T x", 20, &symbols), -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_map),
		cmocka_unit_test(test_below_everything),
		cmocka_unit_test(test_text_in_disorder),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_elf_names_without_end),
		cmocka_unit_test(test_elf_damaged),
		cmocka_unit_test(test_other_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
