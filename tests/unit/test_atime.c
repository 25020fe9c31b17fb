/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the keeper of a file server opens for it (vm/daemon/atime.h), with this process as a server that was taken
 * over: files that change under the look, files of /proc, flags that want something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/open_fds.h"
#include "vm/daemon/atime.h"

enum { OTHER_USER = 65533 };

static char folder[] = "/tmp/hvrun-atime-XXXXXX";
static char file_of_root[64]; /* of somebody else, as seen by who runs the cases */
static int proc_fd;	      /* of our /proc/self/fd */

/* The open of the file with the descriptor @number, as a file server does it. */
static int ask(const char *number, int flags)
{
	struct seccomp_notif request = { .id = 1, .pid = (uint32_t)getpid() };

	request.data.args[0] = (unsigned)proc_fd;
	request.data.args[1] = (uint64_t)(uintptr_t)number;
	request.data.args[2] = (uint64_t)(unsigned)(flags | O_NOATIME);
	return daemon_atime_open(&request);
}

static int ask_for(int fd, int flags)
{
	char number[12];

	(void)snprintf(number, sizeof(number), "%d", fd);
	return ask(number, flags);
}

/* Files of root are another user's: whoever runs this is somebody else meanwhile. */
static int become_other(void **state)
{
	int fd;

	(void)state;
	(void)snprintf(file_of_root, sizeof(file_of_root), "/etc/passwd");
	if (geteuid() == 0) {
		if (!mkdtemp(folder))
			return -1;
		(void)snprintf(file_of_root, sizeof(file_of_root), "%s/file", folder);
		fd = open(file_of_root, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, "root's", 6) != 6 || close(fd) < 0 ||
		    chmod(folder, 0755) < 0 || chmod(file_of_root, 0644) < 0 ||
		    seteuid(OTHER_USER) < 0)
			return -1;
		/* Else our descriptors in /proc are root's alone. */
		(void)prctl(PR_SET_DUMPABLE, 1);
	}
	proc_fd = open("/proc/self/fd", O_PATH | O_CLOEXEC);
	return proc_fd < 0 ? -1 : 0;
}

static int become_oneself(void **state)
{
	(void)state;
	close(proc_fd);
	if (getuid() == 0 && seteuid(0) == 0) {
		(void)unlink(file_of_root);
		(void)rmdir(folder);
	}
	return 0;
}

/* qemu-user and some containers have no process_vm_readv: the keeper then opens nothing. */
static void need_reading(void)
{
	char from = 0, to;
	struct iovec ours = { &to, 1 }, theirs = { &from, 1 };

	if (process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0) != 1)
		skip();
}

static void test_a_file_of_others_is_opened(void **state)
{
	int path = open(file_of_root, O_PATH | O_CLOEXEC);
	struct stat st = { 0 }, opened = { 0 };
	int fd;

	(void)state;
	need_reading();
	assert_true(path >= 0 && fstat(path, &st) == 0);
	fd = ask_for(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &opened), 0);
	assert_true(st.st_ino == opened.st_ino && st.st_dev == opened.st_dev);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_NOATIME | O_ACCMODE), O_RDONLY);
	close(fd);
	/* With our rights. */
	assert_int_equal(ask_for(path, O_RDWR), -EACCES);
	close(path);
}

static void test_what_is_none_of_it_goes_on_by_itself(void **state)
{
	int path = open(file_of_root, O_PATH | O_CLOEXEC);
	int device = open("/dev/null", O_PATH | O_CLOEXEC);
	int of_proc = open("/proc/1/stat", O_PATH | O_CLOEXEC);
	int folder_fd = open("/", O_PATH | O_CLOEXEC);
	unsigned before;
	int fifo[2] = { -1, -1 };

	(void)state;
	before = open_fds();
	assert_true(path >= 0 && device >= 0 && folder_fd >= 0 && pipe2(fifo, O_CLOEXEC) == 0);
	assert_int_equal(ask_for(device, O_RDONLY), -EAGAIN);
	assert_int_equal(ask_for(fifo[0], O_RDONLY), -EAGAIN);
	/* In /proc it matters who opens. */
	if (of_proc >= 0)
		assert_int_equal(ask_for(of_proc, O_RDONLY), -EAGAIN);
	/* These make a file, or open none. */
	assert_int_equal(ask_for(folder_fd, O_TMPFILE | O_RDWR), -EAGAIN);
	assert_int_equal(ask_for(path, O_PATH), -EAGAIN);
	assert_int_equal(ask_for(path, O_CREAT), -EAGAIN);
	assert_int_equal(ask("", O_RDONLY), -EAGAIN);
	assert_int_equal(ask("..", O_RDONLY), -EAGAIN);
	assert_int_equal(ask("12/../../mem", O_RDONLY), -EAGAIN);
	assert_int_equal(ask("99999999999", O_RDONLY), -EAGAIN);
	assert_int_equal(ask((const char *)8, O_RDONLY), -EAGAIN);
	close(fifo[0]);
	close(fifo[1]);
	assert_int_equal(open_fds(), before);
	close(folder_fd);
	close(of_proc);
	close(device);
	close(path);
}

struct swap {
	atomic_bool over;
	int number, file, device;
};

/* The number is the file's, and the device's, and the file's. */
static void *swap(void *opaque)
{
	struct swap *s = opaque;

	while (!atomic_load(&s->over)) {
		(void)dup3(s->device, s->number, O_CLOEXEC);
		(void)dup3(s->file, s->number, O_CLOEXEC);
	}
	return NULL;
}

static void test_a_number_that_changes_under_the_look(void **state)
{
	struct swap s = { .file = open(file_of_root, O_PATH | O_CLOEXEC),
			  .device = open("/dev/null", O_PATH | O_CLOEXEC),
			  .number = 700 };
	time_t end = time(NULL) + 2;
	unsigned opened = 0;
	pthread_t thread;

	(void)state;
	need_reading();
	assert_true(s.file >= 0 && s.device >= 0);
	assert_int_equal(dup3(s.file, s.number, O_CLOEXEC), s.number);
	assert_int_equal(pthread_create(&thread, NULL, swap, &s), 0);
	while (!opened || (opened < 3000 && time(NULL) < end)) {
		int fd = ask_for(s.number, O_RDONLY);
		struct stat st = { 0 };

		if (fd < 0)
			continue;
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(S_ISREG(st.st_mode));
		opened++;
		close(fd);
	}
	atomic_store(&s.over, true);
	pthread_join(thread, NULL);
	close(s.number);
	close(s.device);
	close(s.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_of_others_is_opened),
		cmocka_unit_test(test_what_is_none_of_it_goes_on_by_itself),
		cmocka_unit_test(test_a_number_that_changes_under_the_look),
	};

	return cmocka_run_group_tests(tests, become_other, become_oneself);
}
