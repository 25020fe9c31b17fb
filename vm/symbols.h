/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The name of the place at an address in the guest's kernel, from a System.map or from the symbol
 * table of an ELF file (System V ABI, "Symbol Table"; 64-bit, little-endian). The file is a
 * stranger's: nothing in it is believed before it is judged, and no table is built from it; a
 * look-up walks over it once.
 */
#ifndef VM_SYMBOLS_H
#define VM_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

enum {
	SYMBOLS_NAME_MAX = 128,		 /* bytes of a name that are kept, the zero included */
	SYMBOLS_MAX = 512 * 1024 * 1024, /* bytes of a System.map, or of a table in an ELF file */
};

/* What was read of a file. */
struct symbols {
	uint8_t *map; /* the text of a System.map, or the ELF file's .symtab */
	size_t map_len;
	uint8_t *names; /* the ELF file's string table; NULL: @map is text */
	size_t names_len;
};

/* What a look-up found. */
struct symbols_place {
	char name[SYMBOLS_NAME_MAX];
	uint64_t offset; /* bytes from the symbol to the address */
};

/*
 * Reads what is needed of the file @fd, of @size bytes, which stays the caller's. 0; -ENOEXEC for a file that is
 * neither kind or is damaged, with a reason in *@why (a constant); -ENOMEM; or the -errno of a read.
 */
int symbols_read(int fd, uint64_t size, struct symbols *symbols, const char **why);

/*
 * The symbol at or below @address, and nearest to it, into *@place. 0, or -ENOENT if the address lies
 * outside of everything that the file names: before the first text symbol, or from the last symbol
 * on.
 */
int symbols_find(const struct symbols *symbols, uint64_t address, struct symbols_place *place);

/* Frees what symbols_read allocated. */
void symbols_release(struct symbols *symbols);

#endif
