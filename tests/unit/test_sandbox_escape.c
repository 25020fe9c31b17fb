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
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "cli/crash.h"
#include "vm/config.h"
#include "vm/sandbox.h"

enum {
	GOT_THROUGH = 99,
	NO_SANDBOX = 98,
	REFUSED = 97, /* with an error, and nothing happened */
	MEMORY = 512 << 20,
};

/* What the taken-over thread has at hand: as in hvrun, but that no machine is behind the numbers. */
static struct {
	int vcpu_fd, other_vcpu_fd, vm_fd, event_fd, file_fd;
	pid_t parent;
	pid_t other_tid;
	char page[4096];
	struct sandbox sandbox;
	enum sandbox_class which;
	long (*attempt)(void);
} world;

/* --- attempts: below 0 is a refusal by error --- */

static long try_open(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long try_create(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/tmp/hvrun-escaped", O_CREAT | O_WRONLY, 0600);
}

static long try_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}

static long try_own_memory_by_proc(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR);
}

static long try_unlink(void)
{
	return syscall(SYS_unlinkat, AT_FDCWD, "/etc/passwd", 0);
}

static long try_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long try_unix_socket(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long try_pass_descriptor(void)
{
	struct msghdr message = { 0 };

	return syscall(SYS_sendmsg, world.event_fd, &message, 0);
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, 16L /* PTRACE_ATTACH */, (long)world.parent, 0L, 0L);
}

static long try_read_other(void)
{
	struct iovec here = { world.page, 8 }, there = { world.page, 8 };

	return syscall(SYS_process_vm_readv, world.parent, &here, 1L, &there, 1L, 0L);
}

static long try_write_other(void)
{
	struct iovec here = { world.page, 8 }, there = { world.page, 8 };

	return syscall(SYS_process_vm_writev, world.parent, &here, 1L, &there, 1L, 0L);
}

static long try_kill(void)
{
	return syscall(SYS_kill, world.parent, 0);
}

static long try_tgkill_other(void)
{
	return syscall(SYS_tgkill, world.parent, world.parent, 0);
}

static long try_pidfd(void)
{
	return syscall(SYS_pidfd_open, world.parent, 0);
}

static long try_exec(void)
{
	char *const words[] = { NULL };

	return syscall(SYS_execve, "/bin/true", words, words);
}

static long try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long try_clone3(void)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, size, tls;
	} args = { .exit_signal = SIGCHLD };

	return syscall(SYS_clone3, &args, sizeof(args));
}

static long try_namespace(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long try_setns(void)
{
	return syscall(SYS_setns, world.event_fd, 0);
}

static long try_mount(void)
{
	return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
}

static long try_chroot(void)
{
	return syscall(SYS_chroot, "/");
}

static long try_exec_memory(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1
		       ? -1
		       : 1;
}

static long try_make_executable(void)
{
	return syscall(SYS_mprotect, (uintptr_t)world.page & ~UINT64_C(4095), 4096,
		       PROT_READ | PROT_EXEC);
}

static long try_key_executable(void)
{
	return syscall(SYS_pkey_mprotect, (uintptr_t)world.page & ~UINT64_C(4095), 4096,
		       PROT_READ | PROT_EXEC, -1);
}

static long try_memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}

static long try_type_on_terminal(void)
{
	return ioctl(0, 0x5412 /* TIOCSTI */, "x");
}

static long try_console_paste(void)
{
	return ioctl(0, 0x541c /* TIOCLINUX */, world.page);
}

static long try_create_vm(void)
{
	return ioctl(world.vm_fd, KVM_CREATE_VM, 0);
}

static long try_create_device(void)
{
	return ioctl(world.vm_fd, KVM_CREATE_DEVICE, world.page);
}

static long try_memory_slot(void)
{
	struct kvm_userspace_memory_region slot = { .slot = 9, .memory_size = 4096 };

	return ioctl(world.vm_fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

static long try_memory_slot_2(void)
{
	return ioctl(world.vm_fd, 0x40a0ae49 /* KVM_SET_USER_MEMORY_REGION2 */, world.page);
}

static long try_set_registers(void)
{
	return ioctl(world.vcpu_fd, 0x4090ae82 /* x86's KVM_SET_REGS; nobody's elsewhere */,
		     world.page);
}

static long try_other_vcpu(void)
{
	return ioctl(world.other_vcpu_fd, KVM_RUN, 0);
}

static long try_new_vcpu(void)
{
	return ioctl(world.vm_fd, KVM_CREATE_VCPU, 7);
}

static long try_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, world.page);
}

static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 0);
}

static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, world.page, sizeof(world.page));
}

static long try_perf(void)
{
	return syscall(SYS_perf_event_open, world.page, 0, -1, -1, 0);
}

static long try_module(void)
{
	return syscall(SYS_init_module, world.page, 10, "");
}

static long try_keyring(void)
{
	return syscall(SYS_keyctl, 0, -3, 1);
}

static long try_filter(void)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL);
}

static long try_dumpable(void)
{
	return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long try_uid(void)
{
	return syscall(SYS_setresuid, 0, 0, 0);
}

static long try_duplicate(void)
{
	return syscall(SYS_dup3, world.file_fd, world.vcpu_fd, 0);
}

static long try_truncate(void)
{
	return syscall(SYS_ftruncate, world.file_fd, 0);
}

static long try_mode(void)
{
	return syscall(SYS_fchmod, world.file_fd, 04777);
}

static long try_limits(void)
{
	return syscall(SYS_prlimit64, world.parent, 7, NULL, world.page);
}

static long try_priority(void)
{
	return syscall(SYS_setpriority, 0, world.parent, -20);
}

static long try_handler(void)
{
	return syscall(SYS_rt_sigaction, SIGSYS, NULL, world.page, 8);
}

static long try_queue_signal(void)
{
	return syscall(SYS_rt_sigqueueinfo, world.parent, SIGTERM, world.page);
}

static long try_asynchronous(void)
{
	return syscall(SYS_fcntl, world.event_fd, F_SETOWN, world.parent);
}

#define ATTEMPT(name)             \
	{                         \
#name, try_##name \
	}

static const struct attempt {
	const char *name;
	long (*try)(void);
} attempts[] = {
	ATTEMPT(open),
	ATTEMPT(create),
	ATTEMPT(openat2),
	ATTEMPT(own_memory_by_proc),
	ATTEMPT(unlink),
	ATTEMPT(socket),
	ATTEMPT(unix_socket),
	ATTEMPT(pass_descriptor),
	ATTEMPT(ptrace),
	ATTEMPT(read_other),
	ATTEMPT(write_other),
	ATTEMPT(kill),
	ATTEMPT(tgkill_other),
	ATTEMPT(pidfd),
	ATTEMPT(exec),
	ATTEMPT(fork),
	ATTEMPT(clone3),
	ATTEMPT(namespace),
	ATTEMPT(setns),
	ATTEMPT(mount),
	ATTEMPT(chroot),
	ATTEMPT(exec_memory),
	ATTEMPT(make_executable),
	ATTEMPT(key_executable),
	ATTEMPT(memfd),
	ATTEMPT(type_on_terminal),
	ATTEMPT(console_paste),
	ATTEMPT(create_vm),
	ATTEMPT(create_device),
	ATTEMPT(memory_slot),
	ATTEMPT(memory_slot_2),
	ATTEMPT(set_registers),
	ATTEMPT(other_vcpu),
	ATTEMPT(new_vcpu),
	ATTEMPT(io_uring),
	ATTEMPT(userfaultfd),
	ATTEMPT(bpf),
	ATTEMPT(perf),
	ATTEMPT(module),
	ATTEMPT(keyring),
	ATTEMPT(filter),
	ATTEMPT(dumpable),
	ATTEMPT(uid),
	ATTEMPT(duplicate),
	ATTEMPT(truncate),
	ATTEMPT(mode),
	ATTEMPT(limits),
	ATTEMPT(priority),
	ATTEMPT(handler),
	ATTEMPT(queue_signal),
	ATTEMPT(asynchronous),
};

/* --- what each class must still be able to do --- */

static long work_of_all(void)
{
	uint64_t one = 1;

	if (syscall(SYS_write, world.event_fd, &one, sizeof(one)) != 8)
		return -1;
	/* Nothing is behind the number, which the kernel tells; the filter let it ask. */
	if (world.which == SANDBOX_VCPU && ioctl(world.vcpu_fd, KVM_RUN, 0) == -1 &&
	    errno != ENOTTY)
		return -1;
	if (world.which == SANDBOX_IO &&
	    pread(world.file_fd, world.page, sizeof(world.page), 0) != sizeof(world.page))
		return -1;
	return syscall(SYS_gettid) > 0 ? 1 : -1;
}

/* --- the stage --- */

static void *play(void *arg)
{
	long r;

	(void)arg;
	if (sandbox_enter(&world.sandbox, world.which,
			  world.which == SANDBOX_VCPU ? world.vcpu_fd : -1))
		_exit(NO_SANDBOX);
	r = world.attempt();
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
	world.which = which;
	world.attempt = attempt;
	world.vcpu_fd = null_fd();
	world.other_vcpu_fd = null_fd();
	world.vm_fd = null_fd();
	world.event_fd = eventfd(0, EFD_CLOEXEC);
	world.file_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	world.parent = getppid();
	(void)setrlimit(RLIMIT_AS, &(struct rlimit){ MEMORY, MEMORY });
	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL);
	crash_prepare();
	if (sandbox_lock(&world.sandbox, &config))
		_exit(NO_SANDBOX);
	world.sandbox.vm_fd = world.vm_fd;
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

static void judge(enum sandbox_class which, const struct attempt *attempt)
{
	char words[256], class_words[32];
	int status = run_child(which, attempt->try, words);

	if (status == REFUSED && may_be_refused(which, attempt->name))
		return;
	if (status != VM_STATUS_DEFECT)
		fail_msg("%s: %s: ended with %d: %s", sandbox_class_name(which), attempt->name,
			 status, words);
	(void)snprintf(class_words, sizeof(class_words), "of its thread (%s, ",
		       sandbox_class_name(which));
	if (!strstr(words, "hvrun: sandbox: system call ") || !strstr(words, class_words))
		fail_msg("%s: %s: said %s", sandbox_class_name(which), attempt->name, words);
}

static void test_nobody_gets_out(void **state)
{
	static const enum sandbox_class classes[] = { SANDBOX_VCPU, SANDBOX_LOOP, SANDBOX_IO,
						      SANDBOX_HELPER };

	(void)state;
	if (!can_lock())
		skip();
	for (size_t c = 0; c < ARRAY_SIZE(classes); c++)
		for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
			judge(classes[c], &attempts[i]);
	print_message("%zu ways out tried by %zu classes of threads\n", ARRAY_SIZE(attempts),
		      ARRAY_SIZE(classes));
}

/* The door alone, as a thread has it in its first steps, stops all but the making of the machine. */
static void test_the_work_goes_on(void **state)
{
	static const enum sandbox_class classes[] = { SANDBOX_VCPU, SANDBOX_LOOP, SANDBOX_IO,
						      SANDBOX_HELPER };
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
	static const enum sandbox_class classes[] = { SANDBOX_VCPU, SANDBOX_LOOP, SANDBOX_IO,
						      SANDBOX_HELPER };
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_gets_out),
		cmocka_unit_test(test_the_work_goes_on),
		cmocka_unit_test(test_threat_32_reports_from_inside),
		cmocka_unit_test(test_threat_32_words_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
