/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/daemon/remover, vm/unix_socket: names of sockets go when the run ends, by whatever way, and nobody else's do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/open_fds.h"
#include "vm/config.h"
#include "vm/daemon/remover.h"
#include "vm/unix_socket.h"

struct fixture {
	struct remover remover;
	char dir[64];
	char a[80];
	char b[80];
};

static int setup(void **state)
{
	struct fixture *f = (struct fixture *)calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/hvrun-remover.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->a, sizeof(f->a), "%s/a", f->dir);
	(void)snprintf(f->b, sizeof(f->b), "%s/b", f->dir);
	remover_init(&f->remover);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	(void)unlink(f->a);
	(void)unlink(f->b);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static bool there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void listen_on(struct fixture *f, const char *path)
{
	int fd = -1;

	assert_int_equal(vm_unix_listen("test", path, &f->remover, &fd), 0);
	assert_true(there(path));
	close(fd);
}

static struct {
	const char *path; /* what is about to be listened at */
	unsigned calls;
	bool named; /* it had its name before */
} watched;

/* In place of the C library's. */
int listen(int fd, int backlog)
{
	watched.calls++;
	if (watched.path && there(watched.path))
		watched.named = true;
	return (int)syscall(SYS_listen, fd, backlog);
}

/* Who finds the name can connect. */
static void names_come_with_the_listener(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = -1, client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	watched.path = f->a;
	assert_int_equal(vm_unix_listen("test", f->a, &f->remover, &fd), 0);
	watched.path = NULL;
	assert_int_equal(watched.calls, 1);
	assert_false(watched.named);
	assert_int_equal(lstat(f->a, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1); /* teardown finds nothing else in the folder */
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->a);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	close(client);
	close(fd);
	remover_end(&f->remover);
}

/* A name with no room for another beside it, and one that is taken. */
static void long_names_and_taken_ones(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd = -1, other = -1;

	memset(path, 'x', sizeof(path));
	memcpy(path, f->dir, strlen(f->dir));
	path[strlen(f->dir)] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vm_unix_listen("test", path, &f->remover, &fd), 0);
	assert_int_equal(vm_unix_listen("test", path, &f->remover, &other), VM_STATUS_SYSTEM);
	close(fd);
	assert_int_equal(vm_unix_listen("test", path, &f->remover, &fd), 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(vm_unix_listen("test", f->a, &f->remover, &fd), 0);
	assert_int_equal(vm_unix_listen("test", f->a, &f->remover, &other), VM_STATUS_SYSTEM);
	close(fd);
	remover_end(&f->remover);
}

static void names_go_at_the_end(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	listen_on(f, f->a);
	listen_on(f, f->b);
	assert_int_equal(remover_start(&f->remover), 0);
	assert_true(there(f->a) && there(f->b));
	remover_end(&f->remover);
	assert_false(there(f->a) || there(f->b));
}

/* What fails before the child is started. */
static void names_go_without_the_child(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	listen_on(f, f->a);
	remover_end(&f->remover);
	assert_false(there(f->a));
	/* Nothing to remove, nothing to wait for. */
	assert_int_equal(remover_start(&f->remover), 0);
	remover_end(&f->remover);
}

static void names_go_when_we_are_killed(void **state)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct fixture *f = (struct fixture *)*state;
	pid_t pid;

	listen_on(f, f->a);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (remover_start(&f->remover) == 0)
			(void)raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 6000 && there(f->a); i++)
		(void)nanosleep(&pause, NULL);
	assert_false(there(f->a));
}

/* A next run has its own socket there by now. */
static void a_name_that_was_taken_over_stays(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	int fd;

	listen_on(f, f->a);
	/* Made before the old one goes, so that it is another file for sure. */
	fd = open(f->b, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rename(f->b, f->a), 0);
	assert_int_equal(remover_start(&f->remover), 0);
	remover_end(&f->remover);
	assert_true(there(f->a));
}

/*
 * The same where the next run's socket is made after ours was removed: it must not have our socket's number then (which
 * file systems give anew at once), as long as the child of a run that was killed stands still.
 */
static void numbers_are_not_given_anew(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	struct stat st;

	listen_on(f, f->a);
	listen_on(f, f->b);
	assert_int_equal(remover_start(&f->remover), 0);
	for (unsigned i = 0; i < 100; i++) {
		int fd;

		assert_int_equal(unlink(f->a), 0);
		fd = open(f->a, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(st.st_ino != f->remover.names[0].inode);
		close(fd);
	}
	remover_end(&f->remover);
	assert_true(there(f->a));
	assert_false(there(f->b));
}

/* Nothing of it stays open in us, with a child and without. */
static void descriptors_are_closed(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	unsigned before = open_fds();

	for (unsigned child = 0; child < 2; child++) {
		listen_on(f, f->a);
		listen_on(f, f->b);
		if (child)
			assert_int_equal(remover_start(&f->remover), 0);
		remover_end(&f->remover);
		assert_false(there(f->a) || there(f->b));
		assert_int_equal(open_fds(), before);
	}
}

static void names_are_bounded(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	unsigned noted = 0;

	listen_on(f, f->a);
	while (noted < 1000 && remover_note(&f->remover, f->a) == 0)
		noted++;
	assert_int_equal(noted, REMOVER_NAMES_MAX - 1);
	assert_true(remover_note(&f->remover, f->b) < 0);
	remover_end(&f->remover);
	assert_false(there(f->a));
}

#define ON_FIXTURE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_FIXTURE(names_come_with_the_listener),
		ON_FIXTURE(long_names_and_taken_ones),
		ON_FIXTURE(names_go_at_the_end),
		ON_FIXTURE(names_go_without_the_child),
		ON_FIXTURE(names_go_when_we_are_killed),
		ON_FIXTURE(a_name_that_was_taken_over_stays),
		ON_FIXTURE(numbers_are_not_given_anew),
		ON_FIXTURE(descriptors_are_closed),
		ON_FIXTURE(names_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
