/* SPDX-License-Identifier: BSD-2-Clause */
/* An index of module files by name; what each needs is read from the file itself. */
#include "vm/kmod.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"

enum {
	FILES_MAX = 20000,
	DEPTH_MAX = 16, /* of folders, and of modules that need modules */
	NAME_SIZE = 64, /* MODULE_NAME_LEN is 56 */
	MODULE_MAX = 64 << 20,
	LIST_MAX = 4 << 20,
};

struct kmod {
	char name[NAME_SIZE]; /* with underscores */
	char *path;
	bool given; /* kmod_each has handed it out */
};

struct kmod_index {
	struct kmod *modules;
	size_t count, room;
	char *builtin; /* modules.builtin, or NULL */
};

/* @file's module name: what is before ".ko", with dashes as underscores. False: no module's file. */
static bool module_name(const char *file, char name[NAME_SIZE])
{
	const char *end = strstr(file, ".ko");
	size_t len = end ? (size_t)(end - file) : 0;

	if (!end || len == 0 || len >= NAME_SIZE || (end[3] && end[3] != '.'))
		return false;
	for (size_t i = 0; i < len; i++)
		name[i] = file[i] == '-' ? '_' : file[i];
	name[len] = '\0';
	return true;
}

static int add(struct kmod_index *index, const char *name, const char *path)
{
	struct kmod *module;

	if (index->count == FILES_MAX)
		return -E2BIG;
	if (index->count == index->room) {
		size_t room = index->room ? 2 * index->room : 512;
		struct kmod *more = realloc(index->modules, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		index->modules = more;
		index->room = room;
	}
	module = &index->modules[index->count];
	*module = (struct kmod){ .path = strdup(path) };
	memcpy(module->name, name, strlen(name) + 1);
	if (!module->path)
		return -ENOMEM;
	index->count++;
	return 0;
}

static int walk(struct kmod_index *index, const char *dir, unsigned depth)
{
	DIR *d = depth < DEPTH_MAX ? opendir(dir) : NULL;
	struct dirent *entry;
	int r = 0;

	if (!d)
		return depth < DEPTH_MAX ? -errno : -ELOOP;
	while (!r && (entry = readdir(d))) {
		char path[4096], name[NAME_SIZE];

		if (entry->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path))
			continue;
		if (entry->d_type == DT_DIR)
			r = walk(index, path, depth + 1);
		else if (entry->d_type == DT_REG && module_name(entry->d_name, name))
			r = add(index, name, path);
	}
	closedir(d);
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct kmod *)a)->name, ((const struct kmod *)b)->name);
}

/* A whole file, zero-ended, of at most @max bytes, to be freed. NULL: errno tells. */
static char *read_whole(const char *path, size_t max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	uint8_t *data = NULL;
	char *text = NULL;
	int r;

	if (fd < 0)
		return NULL;
	r = read_file_whole(fd, max, &data, len);
	close(fd);
	if (!r)
		text = realloc(data, *len + 1);
	if (text)
		text[*len] = '\0';
	else
		free(data);
	errno = r ? -r : errno;
	return text;
}

int kmod_open(const char *dir, struct kmod_index **out)
{
	struct kmod_index *index = calloc(1, sizeof(*index));
	char path[4096];
	size_t len;
	int r = index ? walk(index, dir, 0) : -ENOMEM;

	if (r < 0) {
		diag_error("modules %s: cannot read: %s", dir, strerror(-r));
		kmod_free(index);
		return r;
	}
	if (index->count)
		qsort(index->modules, index->count, sizeof(*index->modules), compare);
	if (snprintf(path, sizeof(path), "%s/modules.builtin", dir) < (int)sizeof(path))
		index->builtin = read_whole(path, LIST_MAX, &len);
	*out = index;
	return 0;
}

void kmod_free(struct kmod_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->count; i++)
		free(index->modules[i].path);
	free(index->modules);
	free(index->builtin);
	free(index);
}

static struct kmod *find(const struct kmod_index *index, const char *name)
{
	struct kmod key = { .path = NULL };

	if (index->count == 0 || !*name || strlen(name) >= NAME_SIZE)
		return NULL;
	for (size_t i = 0; name[i]; i++)
		key.name[i] = name[i] == '-' ? '_' : name[i];
	return bsearch(&key, index->modules, index->count, sizeof(key), compare);
}

bool kmod_has(const struct kmod_index *index, const char *name)
{
	if (find(index, name))
		return true;
	for (const char *line = index->builtin; line && *line;) {
		const char *end = strchrnul(line, '\n');
		const char *slash = memrchr(line, '/', (size_t)(end - line));
		char file[2 * NAME_SIZE], got[NAME_SIZE];

		slash = slash ? slash + 1 : line;
		(void)snprintf(file, sizeof(file), "%.*s", (int)(end - slash), slash);
		if (module_name(file, got) && strcmp(got, name) == 0)
			return true;
		line = *end ? end + 1 : end;
	}
	return false;
}

/* Section header @index of @elf into *@out. False: it is not inside the file. */
static bool section(const unsigned char *elf, size_t size, const Elf64_Ehdr *header, size_t index,
		    Elf64_Shdr *out)
{
	uint64_t at;

	if (!u64_mul(index, sizeof(*out), &at) || !u64_add(at, header->e_shoff, &at) || at > size ||
	    size - at < sizeof(*out))
		return false;
	memcpy(out, elf + at, sizeof(*out));
	return out->sh_type == SHT_NOBITS ||
	       (out->sh_offset <= size && out->sh_size <= size - out->sh_offset);
}

/* The value of "depends=" among zero-ended words. */
static const char *find_depends(const char *words, size_t size)
{
	static const char key[] = "depends=";

	for (size_t at = 0; at < size;) {
		size_t len = strnlen(words + at, size - at);

		if (len == size - at)
			return ""; /* the last word has no end */
		if (strncmp(words + at, key, sizeof(key) - 1) == 0)
			return words + at + sizeof(key) - 1;
		at += len + 1;
	}
	return "";
}

const char *kmod_depends(const unsigned char *elf, size_t size)
{
	static const char name[] = ".modinfo";
	Elf64_Ehdr header;
	Elf64_Shdr names, s;

	if (size < sizeof(header))
		return NULL;
	memcpy(&header, elf, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_shentsize != sizeof(Elf64_Shdr) ||
	    !section(elf, size, &header, header.e_shstrndx, &names) || names.sh_type != SHT_STRTAB)
		return NULL;
	for (size_t i = 0; i < header.e_shnum; i++) {
		if (!section(elf, size, &header, i, &s))
			return NULL;
		if (s.sh_type == SHT_PROGBITS && s.sh_name < names.sh_size &&
		    names.sh_size - s.sh_name >= sizeof(name) &&
		    memcmp(elf + names.sh_offset + s.sh_name, name, sizeof(name)) == 0)
			return find_depends((const char *)elf + s.sh_offset, s.sh_size);
	}
	return "";
}

struct walk_each {
	struct kmod_index *index;
	kmod_fn fn;
	void *opaque;
};

static int give(const struct walk_each *each, const char *name, unsigned depth);

/* Those that @module needs. */
static int give_needed(const struct walk_each *each, const struct kmod *module, unsigned depth)
{
	size_t len;
	char *elf = read_whole(module->path, MODULE_MAX, &len);
	const char *words = elf ? kmod_depends((const unsigned char *)elf, len) : NULL;
	int r = 0;

	if (!words) {
		r = elf ? -ENOEXEC : -errno;
		diag_error("module %s: %s", module->path,
			   elf ? "this is no module as Linux loads it (64-bit ELF, not compressed)"
			       : strerror(-r));
	}
	while (!r && words && *words) {
		const char *end = strchrnul(words, ',');
		char name[NAME_SIZE];

		(void)snprintf(name, sizeof(name), "%.*s", (int)(end - words), words);
		r = give(each, name, depth + 1);
		words = *end ? end + 1 : end;
	}
	free(elf);
	return r;
}

static int give(const struct walk_each *each, const char *name, unsigned depth)
{
	struct kmod *module = find(each->index, name);
	int r;

	if (!module || module->given)
		return 0;
	if (depth == DEPTH_MAX) {
		diag_error("module %s: modules need each other in a circle", module->path);
		return -ELOOP;
	}
	r = give_needed(each, module, depth);
	if (r || module->given)
		return r;
	module->given = true;
	return each->fn(each->opaque, module->path);
}

int kmod_each(struct kmod_index *index, const char *const *names, size_t count, kmod_fn fn,
	      void *opaque)
{
	const struct walk_each each = { index, fn, opaque };
	int r = 0;

	for (size_t i = 0; !r && i < count; i++)
		r = give(&each, names[i], 0);
	return r;
}
