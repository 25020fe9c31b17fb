/* SPDX-License-Identifier: BSD-2-Clause */
/* Measures a directory and has mke2fs copy it, shut in. */
#include "vm/exec/dir_image.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <linux/landlock.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/progress.h"
#include "vm/config.h"
#include "vm/daemon/daemon.h"

enum {
	BLOCK = 4096,
	IMAGE_FD = 3,	   /* of the image in mke2fs */
	CPU_SECONDS = 900, /* that mke2fs may take */
	WORDS = 1024,	   /* bytes of what it prints that are kept */
};

/* What lies in a directory. */
struct measure {
	uint64_t bytes; /* in whole blocks */
	uint64_t files;
	uid_t uid; /* of the directory itself */
	gid_t gid;
	char mounted[512]; /* a place below where another file system begins; "" if there is none */
};

static int refused(const char *dir, const char *what, int err)
{
	diag_error("exec: a copy of %s: %s: %s", dir, what, strerror(err));
	return VM_STATUS_SYSTEM;
}

static int too_large(const char *dir)
{
	diag_error("exec: %s has more than %llu MiB or %d files, which is too much to copy; name a "
		   "smaller --root",
		   dir, (unsigned long long)(DIR_IMAGE_MAX >> 20), DIR_IMAGE_FILES_MAX);
	return VM_STATUS_SYSTEM;
}

static bool count(struct measure *m, const FTSENT *entry)
{
	uint64_t bytes = BLOCK; /* of a directory's entries, a long link, attributes */

	if (entry->fts_info == FTS_F && entry->fts_statp->st_size > 0)
		bytes += (uint64_t)entry->fts_statp->st_size;
	m->files++;
	return u64_add(m->bytes, (bytes + BLOCK - 1) / BLOCK * BLOCK, &m->bytes) &&
	       m->bytes <= DIR_IMAGE_MAX && m->files <= DIR_IMAGE_FILES_MAX;
}

static int unreadable(const char *dir, const FTSENT *entry)
{
	diag_error("exec: %s has to be copied, and you may not read %s (%s); name a smaller --root",
		   dir, entry->fts_path, strerror(entry->fts_errno));
	return VM_STATUS_SYSTEM;
}

static int measure_walk(const char *dir, FTS *fts, struct measure *m)
{
	FTSENT *entry;

	errno = 0;
	while ((entry = fts_read(fts)) != NULL) {
		if (entry->fts_info == FTS_DP)
			continue;
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS ||
		    entry->fts_info == FTS_ERR)
			return unreadable(dir, entry);
		if (entry->fts_level == 0) {
			m->uid = entry->fts_statp->st_uid;
			m->gid = entry->fts_statp->st_gid;
		}
		/* The walk stays on one file system: of another it sees where that begins. */
		if (entry->fts_info == FTS_D && entry->fts_level > 0 &&
		    entry->fts_statp->st_dev != entry->fts_parent->fts_dev && !*m->mounted)
			(void)snprintf(m->mounted, sizeof(m->mounted), "%s", entry->fts_path);
		if (!count(m, entry))
			return too_large(dir);
		errno = 0;
	}
	return errno ? refused(dir, "cannot read it", errno) : 0;
}

static int measure(const char *dir, struct measure *m)
{
	char *name = strdup(dir);
	char *const dirs[] = { name, NULL };
	FTS *fts = name ? fts_open(dirs, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL) : NULL;
	int status;

	*m = (struct measure){ .files = 0 };
	status = fts ? measure_walk(dir, fts, m) : refused(dir, "cannot read it", errno);
	if (fts)
		(void)fts_close(fts);
	free(name);
	return status;
}

/* A file without a name, where there is room for a large one. */
static int open_unnamed(void)
{
	const char *own = getenv("TMPDIR");
	const char *const places[] = { own && *own == '/' ? own : "/var/tmp", "/var/tmp", "/tmp" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

		if (fd >= 0)
			return fd;
	}
	return memfd_create("exec root", MFD_CLOEXEC);
}

/* In the child: system calls, and at the end another program. */

/* Of all files, only the image can be written to, where the kernel has Landlock. */
static int shut_files(int image)
{
	const struct landlock_ruleset_attr all = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	const struct landlock_path_beneath_attr own = {
		.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE,
		.parent_fd = image,
	};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (rules < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	/* EBADFD: a file of the kernel's own memory (memfd), which no rule concerns. */
	if ((syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &own, 0) < 0 &&
	     errno != EBADFD) ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return -errno;
	close(rules);
	return 0;
}

static void bound(int what, rlim_t value)
{
	const struct rlimit limit = { value, value };

	(void)setrlimit((__rlimit_resource_t)what, &limit);
}

static int shut_in(off_t size)
{
	bound(RLIMIT_FSIZE, (rlim_t)size);
	bound(RLIMIT_CPU, CPU_SECONDS);
	bound(RLIMIT_CORE, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return shut_files(IMAGE_FD);
}

/* Null, the words' pipe twice, the image, and nothing else. */
static int arrange_descriptors(int words, int image)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int high[] = { fcntl(words, F_DUPFD, 10), fcntl(image, F_DUPFD, 10) };

	if (null < 0 || high[0] < 0 || high[1] < 0 || dup2(null, 0) < 0 || dup2(high[0], 1) < 0 ||
	    dup2(high[0], 2) < 0 || dup2(high[1], IMAGE_FD) < 0)
		return -errno;
	return close_range(IMAGE_FD + 1, ~0U, 0) < 0 ? -errno : 0;
}

/* @dir without what is mounted below it, at a place in a mount namespace of our own. */
static int only_this(const char **dir)
{
	static const char place[] = "/mnt";

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(*dir, place, NULL, MS_BIND, NULL) < 0)
		return -errno;
	*dir = place;
	return 0;
}

struct order {
	const char *program, *dir;
	const struct measure *m;
	off_t size;
	bool progress; /* may be shown */
};

static int become_mke2fs(const struct order *order)
{
	static char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
					     "MKE2FS_SYNC=0", NULL };
	const char *dir = order->dir;
	char inodes[24], options[96];
	int r = *order->m->mounted ? only_this(&dir) : 0;

	if (!r)
		r = shut_in(order->size);
	if (r < 0)
		return r;
	(void)snprintf(inodes, sizeof(inodes), "%" PRIu64,
		       order->m->files + order->m->files / 4 + 1024);
	(void)snprintf(options, sizeof(options), "root_owner=%u:%u,lazy_itable_init=1,nodiscard",
		       order->m->uid, order->m->gid);
	execle(order->program, "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-O",
	       "^has_journal,^resize_inode,^metadata_csum", "-N", inodes, "-E", options, "-d", dir,
	       "/proc/self/fd/3", (char *)NULL, environment);
	return -errno;
}

__attribute__((noreturn)) static void run_child(const struct order *order, int words, int image,
						pid_t parent)
{
	int r = arrange_descriptors(words, image);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* check-layers: allowed: a child that is no longer hvrun */
	if (!r)
		r = become_mke2fs(order);
	(void)dprintf(2, "%s: %s\n", order->program, strerror(-r));
	_exit(1); /* check-layers: allowed: the same */
}

/* In ourselves. */

/* All that the child prints; the first WORDS - 1 bytes of it in @text. */
static void take_words(int words, char text[WORDS], struct progress *progress)
{
	struct pollfd pfd = { .fd = words, .events = POLLIN };
	size_t used = 0;
	char more[256];
	ssize_t n;

	while (poll(&pfd, 1, 200) == 0)
		progress_step(progress, 0);
	while ((n = read(words, more, sizeof(more))) > 0 || (n < 0 && errno == EINTR)) {
		size_t take = n < 0 ? 0 : size_min((size_t)n, WORDS - 1 - used);

		memcpy(text + used, more, take);
		used += take;
	}
	text[used] = '\0';
	for (char *p = text; *p; p++) {
		if (*p < ' ' || *p > '~')
			*p = *p == '\n' && p[1] ? ';' : *p == '\n' ? '\0' : '?';
	}
}

static int run(const struct order *order, int image)
{
	struct progress progress;
	char text[WORDS];
	int words[2], how = -1;
	pid_t parent = getpid(), pid;

	if (pipe2(words, O_CLOEXEC) < 0)
		return refused(order->dir, "cannot make a pipe", errno);
	pid = fork();
	if (pid == 0)
		run_child(order, words[1], image, parent);
	close(words[1]);
	if (pid < 0) {
		close(words[0]);
		return refused(order->dir, "cannot make a process", errno);
	}
	progress_begin(&progress, order->progress, "copying", order->dir, 0);
	take_words(words[0], text, &progress);
	progress_end(&progress);
	close(words[0]);
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
		return 0;
	diag_error("exec: a copy of %s could not be made: mke2fs %s%s", order->dir,
		   WIFSIGNALED(how) ? "was ended by a signal" : "says: ",
		   WIFSIGNALED(how) ? "" : text);
	return VM_STATUS_SYSTEM;
}

static const char *find_program(void)
{
	static const char *const places[] = { "/usr/sbin/mke2fs", "/sbin/mke2fs", "/usr/bin/mke2fs",
					      NULL };
	const char *program = daemon_find(places);

	if (!program)
		diag_error("exec: the root has to be copied, for which mke2fs is not installed; "
			   "Debian has it in package e2fsprogs");
	return program;
}

int dir_image_make(const char *dir, bool quiet, struct dir_image *image)
{
	struct measure m;
	struct order order = { find_program(), dir, &m, 0, !quiet };
	int status;

	*image = (struct dir_image){ .fd = -1 };
	if (!order.program)
		return VM_STATUS_SYSTEM;
	status = measure(dir, &m);
	if (status)
		return status;
	if (*m.mounted && geteuid() != 0) {
		diag_error("exec: %s has to be copied, and another file system is mounted at %s, "
			   "which only root can leave out; name a smaller --root",
			   dir, m.mounted);
		return VM_STATUS_SYSTEM;
	}
	/* Holes cost nothing: what the command writes finds room. */
	order.size = (off_t)((m.bytes + m.bytes / 4 + m.files * 512 + (UINT64_C(256) << 20)) &
			     ~UINT64_C(0xfffff));
	image->copied = m.bytes;
	image->fd = open_unnamed();
	if (image->fd < 0 || ftruncate(image->fd, order.size) < 0)
		status = refused(dir, "cannot make a file for it", errno);
	if (!status)
		status = run(&order, image->fd);
	if (status && image->fd >= 0) {
		close(image->fd);
		image->fd = -1;
	}
	(void)snprintf(image->path, sizeof(image->path), "/proc/self/fd/%d", image->fd);
	return status;
}
