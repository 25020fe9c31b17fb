/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that were taken over: a child process locks the door and enters a class of threads by the very
 * functions that hvrun uses, then tries to get out. Each attempt must end the child with the report of
 * a violation or be refused with an error; none may have its effect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "cli/crash.h"
#include "tests/lib/capture.h"
#include "tests/lib/escapes.h"
#include "vm/config.h"
#include "vm/sandbox/sandbox.h"

enum {
	GOT_THROUGH = 99,
	NO_SANDBOX = 98,
	REFUSED = 97, /* with an error, and nothing happened */
	MEMORY = 512 << 20,
};

/* The child's class of threads, and what it tries. */
static struct {
	struct sandbox sandbox;
	enum sandbox_class which;
	long (*attempt)(void);
} stage;

static const enum sandbox_class classes[] = { SANDBOX_VCPU, SANDBOX_LOOP, SANDBOX_IO,
					      SANDBOX_HELPER };

/* --- what each class must still be able to do --- */

static long work_of_all(void)
{
	uint64_t one = 1;

	if (syscall(SYS_write, escape_world.event_fd, &one, sizeof(one)) != 8)
		return -1;
	/* Nothing is behind the number, which the kernel tells; the filter let it ask. */
	if (stage.which == SANDBOX_VCPU && ioctl(escape_world.vcpu_fd, KVM_RUN, 0) == -1 &&
	    errno != ENOTTY)
		return -1;
	if (stage.which == SANDBOX_IO &&
	    pread(escape_world.file_fd, escape_world.page, sizeof(escape_world.page), 0) !=
		    sizeof(escape_world.page))
		return -1;
	return syscall(SYS_gettid) > 0 ? 1 : -1;
}

/* --- the stage --- */

static void *play(void *arg)
{
	long r;

	(void)arg;
	if (sandbox_enter(&stage.sandbox, stage.which,
			  stage.which == SANDBOX_VCPU ? escape_world.vcpu_fd : -1))
		_exit(NO_SANDBOX);
	r = stage.attempt();
	_exit(r < 0 ? REFUSED : GOT_THROUGH);
}

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		_exit(NO_SANDBOX);
	return fd;
}

__attribute__((noreturn)) static void child(enum sandbox_class which, long (*attempt)(void),
					    int err_fd)
{
	static struct vm_config config = { .sandbox = VM_SANDBOX_ON };
	pthread_t thread;

	(void)dup2(err_fd, STDERR_FILENO);
	stage.which = which;
	stage.attempt = attempt;
	escape_world.vcpu_fd = null_fd();
	escape_world.other_vcpu_fd = null_fd();
	escape_world.vm_fd = null_fd();
	escape_world.event_fd = eventfd(0, EFD_CLOEXEC);
	escape_world.file_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	escape_world.parent = getppid();
	(void)setrlimit(RLIMIT_AS, &(struct rlimit){ MEMORY, MEMORY });
	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL);
	crash_prepare();
	if (sandbox_lock(&stage.sandbox, &config))
		_exit(NO_SANDBOX);
	stage.sandbox.vm_fd = escape_world.vm_fd;
	if (which == SANDBOX_LOOP)
		(void)play(NULL);
	if (pthread_create(&thread, NULL, play, NULL))
		_exit(NO_SANDBOX);
	(void)pthread_join(thread, NULL);
	_exit(GOT_THROUGH);
}

/* What the child said, without the warnings about stages that this host does not give. */
static void hear(int fd, char words[256])
{
	char all[4096];
	size_t used = 0, kept = 0;
	ssize_t n;

	while ((n = read(fd, all + used, sizeof(all) - 1 - used)) > 0)
		used += (size_t)n;
	all[used] = '\0';
	for (char *line = all, *end; *line; line = end) {
		end = strchrnul(line, '\n');
		end += *end != '\0';
		if (strncmp(line, "hvrun: warning: sandbox: ", 25) == 0)
			continue;
		for (char *p = line; p < end && kept < 255; p++)
			words[kept++] = *p;
	}
	words[kept] = '\0';
}

/* The child's exit status, -signal if a signal ended it; its first words in @words. */
static int run_child(enum sandbox_class which, long (*attempt)(void), char words[256])
{
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(which, attempt, fds[1]);
	(void)close(fds[1]);
	hear(fds[0], words);
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool can_lock(void)
{
	uint32_t action = SECCOMP_RET_TRAP;

	return sandbox_possible() &&
	       syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* Refused with an error rather than a report: what the table refuses so. */
static bool may_be_refused(enum sandbox_class which, const char *name)
{
	return strcmp(name, "clone3") == 0 ||
	       (strcmp(name, "dumpable") == 0 && which != SANDBOX_VCPU);
}

static void judge(enum sandbox_class which, const struct escape *escape)
{
	char words[256], class_words[32];
	int status = run_child(which, escape->try, words);

	if (status == REFUSED && may_be_refused(which, escape->name))
		return;
	if (status != VM_STATUS_DEFECT)
		fail_msg("%s: %s: ended with %d: %s", sandbox_class_name(which), escape->name,
			 status, words);
	(void)snprintf(class_words, sizeof(class_words), "of its thread (%s, ",
		       sandbox_class_name(which));
	if (!strstr(words, "hvrun: sandbox: system call ") || !strstr(words, class_words))
		fail_msg("%s: %s: said %s", sandbox_class_name(which), escape->name, words);
}

static void test_nobody_gets_out(void **state)
{
	(void)state;
	if (!can_lock())
		skip();
	for (size_t c = 0; c < ARRAY_SIZE(classes); c++)
		for (size_t i = 0; i < escape_count; i++)
			judge(classes[c], &escapes[i]);
	print_message("%zu ways out tried by %zu classes of threads\n", escape_count,
		      ARRAY_SIZE(classes));
}

/* The door alone, as a thread has it in its first steps, stops all but the making of the machine. */
static void test_the_work_goes_on(void **state)
{
	char words[256];

	(void)state;
	if (!can_lock())
		skip();
	for (size_t c = 0; c < ARRAY_SIZE(classes); c++)
		assert_int_equal(run_child(classes[c], work_of_all, words), GOT_THROUGH);
}

/* --- reports from inside (threats.md, row 32) --- */

static long do_abort(void)
{
	abort(); /* check-layers: allowed, a test */
}

static long do_fault(void)
{
	*(volatile int *)(uintptr_t)8 = 1;
	return 1;
}

/* What the C library does when a stack's canary is dead, or a checked function sees a size that cannot be. */
__attribute__((noinline)) static long do_overflow(void)
{
	extern void __stack_chk_fail(void);

	__stack_chk_fail();
	return 1;
}

/* No memory for anybody: a message must come out all the same. */
static long do_without_memory(void)
{
	size_t size = (size_t)1 << 30;

	while (size >= 16) {
		if (!malloc(size))
			size /= 2;
	}
	diag_error("no memory: said from inside");
	return 1;
}

static void test_threat_32_reports_from_inside(void **state)
{
	char words[256];

	(void)state;
	if (!can_lock())
		skip();
	for (size_t c = 0; c < ARRAY_SIZE(classes); c++) {
		assert_int_equal(run_child(classes[c], do_abort, words), -SIGABRT);
		assert_string_equal(words, "");
		assert_int_equal(run_child(classes[c], do_fault, words), -SIGSEGV);
		assert_string_equal(words, "");
		assert_int_equal(run_child(classes[c], do_overflow, words), -SIGABRT);
		assert_non_null(strstr(words, "stack smashing detected"));
	}
}

static void test_threat_32_words_without_memory(void **state)
{
	char words[256];

	(void)state;
	if (!can_lock())
		skip();
	assert_int_equal(run_child(SANDBOX_LOOP, do_without_memory, words), GOT_THROUGH);
	assert_non_null(strstr(words, "hvrun: no memory: said from inside"));
}

/* In a child that only reads: which of what its parent was started with it still has. */
static void child_of_reader(void *arg)
{
	const int *stray = arg;
	const struct vm_config config = { .sandbox = VM_SANDBOX_ON };

	if (sandbox_lock_child(&config))
		diag_error("not locked");
	diag_error("stray %d, own %d, words %d", fcntl(stray[0], F_GETFD) >= 0,
		   fcntl(stray[1], F_GETFD) >= 0, environ && *environ);
}

static void test_readers_have_nothing_of_ours(void **state)
{
	struct captured out;
	int ends[2];

	(void)state;
	if (!can_lock())
		skip();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETFD, FD_CLOEXEC), 0);
	capture_child(&out, child_of_reader, ends);
	assert_non_null(strstr(out.text, "hvrun: stray 0, own 1, words 0"));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_have_nothing_of_ours),
		cmocka_unit_test(test_nobody_gets_out),
		cmocka_unit_test(test_the_work_goes_on),
		cmocka_unit_test(test_threat_32_reports_from_inside),
		cmocka_unit_test(test_threat_32_words_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
