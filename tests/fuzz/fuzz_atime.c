/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An open by a file server that was taken over, as its keeper sees it (vm/daemon/atime.h): any folder, name and
 * flags. This process is the server, with a few files at numbers that it knows; the name stands at the end of a page. What
 * is opened is a file or folder of another user, not of /proc, and closed by exec; else nothing stays open.
 *
 * The input: which folder (1 byte), flags (4), the name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "vm/daemon/atime.h"

enum {
	FIRST = 40, /* the numbers of the server's files */
	PAGE = 65536,
	PROC_MAGIC = 0x9fa0,
	OTHER_USER = 65533,
	NUMBERS = 64,
};

static const char *const names[] = { "/etc/passwd", "/dev/null", "/proc/self/fd", "/proc/1/stat",
				     "/etc",	    "/proc",	 "/dev/zero",	  "/" };

enum { COUNT = sizeof(names) / sizeof(names[0]) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static char *prepare(void)
{
	char *page = mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(page != MAP_FAILED && mprotect(page + PAGE, PAGE, PROT_NONE) == 0);
	for (int i = 0; i < COUNT; i++) {
		int fd = open(names[i], O_PATH | O_CLOEXEC);

		/* /proc/1 is hidden from some. */
		must(fd < 0 || dup3(fd, FIRST + i, O_CLOEXEC) == FIRST + i);
		if (fd >= 0)
			close(fd);
	}
	return page;
}

/* Files of root are another user's, and not to be written to. The fuzzer itself stays who it is. */
static int open_as_other(const struct seccomp_notif *request)
{
	bool root = geteuid() == 0;
	int fd;

	must(!root || seteuid(OTHER_USER) == 0);
	fd = daemon_atime_open(request);
	must(!root || (seteuid(0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0));
	return fd;
}

/* How many of our descriptors are open, of the numbers that one input can reach. */
static unsigned count_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < NUMBERS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void check(int fd)
{
	struct stat st;
	struct statfs fs;

	must(fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0);
	must((geteuid() == 0 || st.st_uid != geteuid()) && fs.f_type != PROC_MAGIC);
	must(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
	must(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *page; /* once: the process is what is looked at */
	struct seccomp_notif request = { .id = 1, .pid = (uint32_t)getpid() };
	uint32_t flags;
	unsigned before;
	int fd;

	if (size < 5 || size > 64)
		return 0;
	if (!page)
		page = prepare();
	memcpy(&flags, data + 1, sizeof(flags));
	memcpy(page + PAGE - (size - 5), data + 5, size - 5);
	if (data[0] < 8)
		request.data.args[0] = (unsigned)FIRST + data[0];
	else
		request.data.args[0] = (__u64)(int8_t)data[0];
	request.data.args[1] = (uint64_t)(uintptr_t)(page + PAGE - (size - 5));
	request.data.args[2] = flags;
	before = count_open();
	fd = open_as_other(&request);
	must(fd >= -4095);
	if (fd >= 0)
		check(fd);
	must(count_open() == before);
	return 0;
}
