/* SPDX-License-Identifier: BSD-2-Clause */
/* The name of the place at an address, from a System.map or an ELF file's symbol table. */
#include "vm/symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/io.h"

/* The best symbol so far, and the bounds of all. */
struct search {
	uint64_t address;
	uint64_t best;
	const char *name; /* NULL: none yet; not zero-ended */
	size_t name_len;
	uint64_t highest;
	bool any;
};

static void consider(struct search *search, uint64_t value, const char *name, size_t len)
{
	if (!search->any || value > search->highest)
		search->highest = value;
	search->any = true;
	if (value > search->address || (search->name && value < search->best))
		return;
	/* Of several at one address the first is told: System.map and vmlinux put functions first. */
	if (search->name && value == search->best)
		return;
	search->best = value;
	search->name = name;
	search->name_len = len;
}

/* --- System.map: "ffffffff81000000 T _stext" a line --- */

static bool hex_digit(uint8_t c, uint64_t *value)
{
	uint8_t digit;

	if (c >= '0' && c <= '9')
		digit = (uint8_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		digit = (uint8_t)(c - 'a' + 10);
	else
		return false;
	*value = *value << 4 | digit;
	return true;
}

/* Symbols that are places in the kernel: text, data, weak ones; not absolute numbers or per-CPU. */
static bool is_place(char type)
{
	return type != '\0' && strchr("TtWwDdBbRrVv", type);
}

static void consider_line(struct search *search, const uint8_t *line, size_t len)
{
	uint64_t value = 0;
	size_t digits = 0;

	while (digits < len && digits < 16 && hex_digit(line[digits], &value))
		digits++;
	if (digits < 8 || digits + 3 >= len || line[digits] != ' ' || line[digits + 2] != ' ')
		return;
	if (is_place((char)line[digits + 1]))
		consider(search, value, (const char *)line + digits + 3, len - digits - 3);
}

static void search_text(const struct symbols *symbols, struct search *search)
{
	const uint8_t *at = symbols->map;
	const uint8_t *end = at + symbols->map_len;

	while (at < end) {
		const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			stop = end;
		consider_line(search, at, (size_t)(stop - at));
		at = stop + 1;
	}
}

/* --- ELF --- */

static void search_table(const struct symbols *symbols, struct search *search)
{
	for (size_t i = 0; i < symbols->map_len / sizeof(Elf64_Sym); i++) {
		Elf64_Sym sym;
		const char *name;

		memcpy(&sym, symbols->map + i * sizeof(sym), sizeof(sym));
		if (sym.st_shndx == SHN_UNDEF || sym.st_shndx == SHN_ABS ||
		    sym.st_name >= symbols->names_len || ELF64_ST_TYPE(sym.st_info) > STT_FUNC)
			continue;
		name = (const char *)symbols->names + sym.st_name;

		size_t len = strnlen(name, symbols->names_len - sym.st_name);

		/* Labels of assemblers ("$x") name no place. */
		if (len && name[0] != '$')
			consider(search, sym.st_value, name, len);
	}
}

int symbols_find(const struct symbols *symbols, uint64_t address, struct symbols_place *place)
{
	struct search search = { .address = address };

	if (symbols->names)
		search_table(symbols, &search);
	else
		search_text(symbols, &search);
	if (!search.name || address >= search.highest)
		return -ENOENT;

	size_t len = size_min(search.name_len, sizeof(place->name) - 1);

	memcpy(place->name, search.name, len);
	place->name[len] = '\0';
	place->offset = address - search.best;
	return 0;
}

/* --- reading --- */

/* @size bytes at @offset of the file into memory of their own. */
static int read_part(int fd, uint64_t offset, uint64_t size, uint8_t **out, const char **why)
{
	uint8_t *data;
	ssize_t n;

	if (size == 0 || size > SYMBOLS_MAX) {
		*why = "a table of it is empty or larger than 512 MiB";
		return -ENOEXEC;
	}
	if (offset > INT64_MAX - size) {
		*why = "a table of it lies beyond the end of any file";
		return -ENOEXEC;
	}
	data = malloc((size_t)size);
	if (!data)
		return -ENOMEM;
	n = pread_full(fd, data, (size_t)size, offset);
	if (n == (ssize_t)size) {
		*out = data;
		return 0;
	}
	free(data);
	if (n < 0)
		return (int)n;
	*why = "it is cut short";
	return -ENOEXEC;
}

static int read_tables(int fd, const Elf64_Shdr *symtab, const Elf64_Shdr *strtab,
		       struct symbols *symbols, const char **why)
{
	int r = read_part(fd, symtab->sh_offset, symtab->sh_size, &symbols->map, why);

	if (r)
		return r;
	symbols->map_len = symtab->sh_size;
	r = read_part(fd, strtab->sh_offset, strtab->sh_size, &symbols->names, why);
	if (r) {
		symbols_release(symbols);
		return r;
	}
	symbols->names_len = strtab->sh_size;
	return 0;
}

static int find_tables(int fd, const Elf64_Shdr *sections, size_t count, struct symbols *symbols,
		       const char **why)
{
	for (size_t i = 0; i < count; i++) {
		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		if (sections[i].sh_link >= count ||
		    sections[sections[i].sh_link].sh_type != SHT_STRTAB) {
			*why = "its symbol table names no table of strings";
			return -ENOEXEC;
		}
		return read_tables(fd, &sections[i], &sections[sections[i].sh_link], symbols, why);
	}
	*why = "it has no symbol table (it is stripped)";
	return -ENOEXEC;
}

static int read_elf(int fd, const Elf64_Ehdr *header, struct symbols *symbols, const char **why)
{
	size_t size = (size_t)header->e_shnum * sizeof(Elf64_Shdr);
	uint8_t *bytes;
	int r;

	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shnum == 0) {
		*why = "it is an ELF file, but not a 64-bit little-endian one with sections";
		return -ENOEXEC;
	}
	r = read_part(fd, header->e_shoff, size, &bytes, why);
	if (r)
		return r;
	/* malloc's memory is aligned for any type. */
	r = find_tables(fd, (const Elf64_Shdr *)(const void *)bytes, header->e_shnum, symbols, why);
	free(bytes);
	return r;
}

/* Whether the first line is one of a System.map. */
static bool is_text(const struct symbols *symbols)
{
	const uint8_t *stop = memchr(symbols->map, '\n', symbols->map_len);
	uint64_t value = 0;
	size_t digits = 0;

	if (!stop)
		return false;
	while (digits < symbols->map_len && digits < 16 && hex_digit(symbols->map[digits], &value))
		digits++;
	return digits >= 8 && symbols->map[digits] == ' ';
}

static int read_text(int fd, uint64_t size, struct symbols *symbols, const char **why)
{
	int r = read_part(fd, 0, size, &symbols->map, why);

	if (r)
		return r;
	symbols->map_len = (size_t)size;
	if (is_text(symbols))
		return 0;
	symbols_release(symbols);
	*why = "it is neither a System.map nor an ELF file with symbols (vmlinux)";
	return -ENOEXEC;
}

int symbols_read(int fd, uint64_t size, struct symbols *symbols, const char **why)
{
	Elf64_Ehdr header;
	ssize_t n;

	*symbols = (struct symbols){ .map = NULL };
	n = pread_full(fd, &header, sizeof(header), 0);
	if (n < 0)
		return (int)n;
	if (n == (ssize_t)sizeof(header) && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0)
		return read_elf(fd, &header, symbols, why);
	return read_text(fd, size, symbols, why);
}

void symbols_release(struct symbols *symbols)
{
	free(symbols->map);
	free(symbols->names);
	*symbols = (struct symbols){ .map = NULL };
}
