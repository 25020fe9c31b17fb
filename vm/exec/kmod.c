/* SPDX-License-Identifier: BSD-2-Clause */
/* An index of module files by name; what each needs is read from the file itself (vm/exec/kmod_read.c). */
#include "vm/exec/kmod.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/io.h"
#include "vm/exec/kmod_read.h"

enum {
	FILES_MAX = 20000,
	DEPTH_MAX = 16, /* of folders, and of modules that need modules */
	NAME_SIZE = 64, /* MODULE_NAME_LEN is 56 */
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
	struct kmod_reader *reader;
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

unsigned char kmod_entry_type(int dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return (unsigned char)IFTODT(st.st_mode);
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
		unsigned char type;

		if (entry->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path))
			continue;
		type = kmod_entry_type(dirfd(d), entry);
		if (type == DT_DIR)
			r = walk(index, path, depth + 1);
		else if (type == DT_REG && module_name(entry->d_name, name))
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

int kmod_open(const char *dir, const struct vm_config *config, struct kmod_index **out)
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
	r = kmod_reader_start(config, &index->reader);
	if (r < 0)
		kmod_free(index);
	else
		*out = index;
	return r;
}

void kmod_free(struct kmod_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->count; i++)
		free(index->modules[i].path);
	free(index->modules);
	free(index->builtin);
	kmod_reader_end(index->reader);
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

struct walk_each {
	struct kmod_index *index;
	kmod_fn fn;
	void *opaque;
};

static int give(const struct walk_each *each, const char *name, unsigned depth);

bool kmod_knows_builtin(const struct kmod_index *index)
{
	return index->builtin != NULL;
}

/* The modules that are named in @words, with commas between. */
static int give_needed(const struct walk_each *each, const char *words, unsigned depth)
{
	int r = 0;

	while (!r && *words) {
		const char *end = strchrnul(words, ',');
		char name[NAME_SIZE];

		(void)snprintf(name, sizeof(name), "%.*s", (int)(end - words), words);
		r = give(each, name, depth + 1);
		words = *end ? end + 1 : end;
	}
	return r;
}

static int give(const struct walk_each *each, const char *name, unsigned depth)
{
	struct kmod *module = find(each->index, name);
	struct kmod_file file;
	int r;

	if (!module || module->given)
		return 0;
	if (depth == DEPTH_MAX) {
		diag_error("module %s: modules need each other in a circle", module->path);
		return -ELOOP;
	}
	r = kmod_read(each->index->reader, module->path, &file);
	if (r < 0)
		return r;
	r = give_needed(each, file.depends, depth);
	if (!r && !module->given) {
		module->given = true;
		r = each->fn(each->opaque, module->path, file.data, file.size);
	}
	kmod_file_free(&file);
	return r;
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
