/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a build does to a file system, and what it does not do every day, inside a guest:
 *
 *	fs tree DIR COUNT	small files: made, read, renamed, linked, some removed; COUNT is left in DIR/count
 *	fs mmap FILE		a file through a private and a shared mapping, read back
 *	fs xattr FILE		extended attributes set, listed, read and removed
 *
 * Status 0, or 1 with the reason.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int fail(const char *what, const char *name)
{
	printf("%s %s: %s\n", what, name, strerror(errno));
	return 1;
}

static int put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (fd < 0)
		return fail("create", name);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fail("write", name);
	return close(fd) ? fail("close", name) : 0;
}

static int has(const char *name, const char *text)
{
	char got[128];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, got, sizeof(got));

	if (n < 0)
		return fail("read", name);
	close(fd);
	if ((size_t)n == strlen(text) && !memcmp(got, text, (size_t)n))
		return 0;
	printf("%s has %zd bytes that are not \"%s\"\n", name, n, text);
	return 1;
}

/* One source file: written beside its place, renamed into it, every third has a second name. */
static int make_one(const char *dir, unsigned i, unsigned *left)
{
	char tmp[256], name[256], link_name[256], text[64];
	struct stat st;

	snprintf(tmp, sizeof(tmp), "%s/%u/tmp", dir, i % 16);
	snprintf(name, sizeof(name), "%s/%u/file%u.o", dir, i % 16, i);
	snprintf(link_name, sizeof(link_name), "%s/%u/link%u", dir, i % 16, i);
	snprintf(text, sizeof(text), "object %u\n", i * 2654435761U);
	if (put(tmp, text) || (rename(tmp, name) && fail("rename", name)) || has(name, text))
		return 1;
	++*left;
	if (i % 3 == 0) {
		if (link(name, link_name) || stat(name, &st))
			return fail("link", name);
		if (st.st_nlink != 2) {
			printf("%s has %u names\n", name, (unsigned)st.st_nlink);
			return 1;
		}
		++*left;
	}
	if (i % 5 == 0) {
		if (unlink(name))
			return fail("unlink", name);
		--*left;
	}
	return 0;
}

static unsigned entries(const char *name)
{
	DIR *dir = opendir(name);
	unsigned count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

static int tree(const char *dir, unsigned count)
{
	char name[256], text[32];
	unsigned left = 1, found = 0;

	if (mkdir(dir, 0755))
		return fail("mkdir", dir);
	for (unsigned i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "%s/%u", dir, i);
		if (mkdir(name, 0755))
			return fail("mkdir", name);
	}
	for (unsigned i = 0; i < count; i++) {
		if (make_one(dir, i, &left))
			return 1;
	}
	for (unsigned i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "%s/%u", dir, i);
		found += entries(name) - 2;
	}
	if (found != left - 1) {
		printf("%u files are listed where %u are left\n", found, left - 1);
		return 1;
	}
	snprintf(name, sizeof(name), "%s/count", dir);
	snprintf(text, sizeof(text), "%u\n", left);
	return put(name, text);
}

static int map(const char *name)
{
	const size_t size = 256 * 1024;
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	unsigned char *shared, *private, byte;

	if (fd < 0 || ftruncate(fd, (off_t)size))
		return fail("create", name);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (shared == MAP_FAILED || private == MAP_FAILED)
		return fail("mmap", name);
	private[5] = 77;
	for (size_t i = 0; i < size; i += 511)
		shared[i] = (unsigned char)(i / 511);
	if (msync(shared, size, MS_SYNC) || fsync(fd))
		return fail("msync", name);
	for (size_t i = 0; i < size; i += 511) {
		if (pread(fd, &byte, 1, (off_t)i) != 1 || byte != (unsigned char)(i / 511)) {
			printf("%s: the byte at %zu is %u\n", name, i, byte);
			return 1;
		}
	}
	return pread(fd, &byte, 1, 5) == 1 && byte == 0 && private[5] == 77 ? 0 : 1;
}

static int xattr(const char *name)
{
	char value[64], list[256];
	ssize_t n;

	if (put(name, "x"))
		return 1;
	if (setxattr(name, "user.color", "green", 5, 0) || setxattr(name, "user.size", "big", 3, 0))
		return fail("setxattr", name);
	n = getxattr(name, "user.color", value, sizeof(value));
	if (n != 5 || memcmp(value, "green", 5))
		return fail("getxattr", name);
	n = listxattr(name, list, sizeof(list));
	if (n != sizeof("user.color") + sizeof("user.size"))
		return fail("listxattr", name);
	if (removexattr(name, "user.color") ||
	    getxattr(name, "user.color", value, sizeof(value)) != -1 || errno != ENODATA)
		return fail("removexattr", name);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "tree"))
		return tree(argv[2], (unsigned)atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "mmap"))
		return map(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "xattr"))
		return xattr(argv[2]);
	return 64;
}
