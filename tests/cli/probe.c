/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loaded into hvrun by LD_PRELOAD (tests/cli/sandbox.sh, pid1.sh): plays the attacker who got hold of a thread.
 *
 * PROBE=KIND	what to try: open, socket, exec, fork, ptrace, kill, exec-memory, make-executable,
 *		ioctl, prctl, io_uring; or what ends it: abort, fault, smash, term
 * PROBE_AT=WHERE	open: before its first file is opened; build: in the main thread, before the machine is made; vcpu: in a vCPU's thread, before it enters the guest for the first time; poll: in
 *		the thread that writes the console
 *
 * A line "probe: KIND got through" on standard error means that the sandbox let it. With
 * PROBE=order, instead: says so when a file is read before the filter is loaded.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* What the compiler calls when a function's stack has been written over. */
void __stack_chk_fail(void);

static atomic_bool tried;
static atomic_bool looping; /* the main thread runs the loop: files have been read by now */

/* Copies: hvrun wipes its environment. */
static char kind[32], at[32];

__attribute__((constructor)) static void remember(void)
{
	(void)snprintf(kind, sizeof(kind), "%s", getenv("PROBE") ? getenv("PROBE") : "");
	(void)snprintf(at, sizeof(at), "%s", getenv("PROBE_AT") ? getenv("PROBE_AT") : "");
}

static void attempt(void)
{
	static char line[80];
	long r = 0;

	if (strcmp(kind, "open") == 0)
		r = syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	else if (strcmp(kind, "socket") == 0)
		r = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	else if (strcmp(kind, "exec") == 0)
		r = syscall(SYS_execve, "/bin/true", NULL, NULL);
	else if (strcmp(kind, "fork") == 0)
		r = syscall(SYS_clone, 17 /* SIGCHLD */, NULL, NULL, NULL, NULL);
	else if (strcmp(kind, "ptrace") == 0)
		r = syscall(SYS_ptrace, 16L, (long)getppid(), 0L, 0L);
	else if (strcmp(kind, "kill") == 0)
		r = syscall(SYS_kill, 1, 0);
	else if (strcmp(kind, "exec-memory") == 0)
		r = (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else if (strcmp(kind, "make-executable") == 0)
		r = mprotect(line, 1, PROT_READ | PROT_EXEC);
	else if (strcmp(kind, "ioctl") == 0)
		r = syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI: type on the terminal */, "x");
	else if (strcmp(kind, "io_uring") == 0)
		r = syscall(SYS_io_uring_setup, 1, NULL);
	else if (strcmp(kind, "prctl") == 0)
		r = prctl(PR_SET_DUMPABLE, 1);
	else if (strcmp(kind, "abort") == 0)
		abort();
	else if (strcmp(kind, "fault") == 0)
		*(volatile int *)NULL = 0;
	else if (strcmp(kind, "smash") == 0)
		__stack_chk_fail();
	else if (strcmp(kind, "term") == 0)
		r = raise(SIGTERM);
	(void)snprintf(line, sizeof(line), "probe: %s got through: %ld\n", kind, r);
	(void)!write(2, line, strlen(line));
}

static void attempt_at(const char *where)
{
	if (*kind && strcmp(at, where) == 0 && !atomic_exchange(&tried, true))
		attempt();
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == KVM_RUN)
		attempt_at("vcpu");
	if (request == KVM_CREATE_VM)
		attempt_at("build");
	/* A guest that ends at once may be over before the loop has waited once. */
	if (request == KVM_RUN)
		atomic_store(&looping, true);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

/* hvrun's first open of all: signals are not events yet. */
int open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	attempt_at("open");
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	atomic_store(&looping, true);
	return (int)syscall(SYS_epoll_wait, epfd, events, max, timeout);
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	attempt_at("poll");
	return (int)syscall(SYS_poll, fds, n, timeout);
}

/* A regular file is read: is the filter there? 2 in /proc/self/status; the kernel tells by prctl too,
 * which the filter refuses with EINVAL (then it is there). */
static void look_at_order(int fd)
{
	static const char words[] = "probe: a file is read before the door is locked\n";
	struct stat st;

	if (atomic_load(&looping) || strcmp(kind, "order") != 0 || fstat(fd, &st) != 0 ||
	    !S_ISREG(st.st_mode))
		return;
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)
		(void)!write(2, words, sizeof(words) - 1);
	else
		(void)!write(2, "probe: read behind the door\n", 28);
}

ssize_t read(int fd, void *buf, size_t len)
{
	look_at_order(fd);
	return syscall(SYS_read, fd, buf, len);
}

ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	look_at_order(fd);
	return syscall(SYS_pread64, fd, buf, len, offset);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t offset)
{
	return pread(fd, buf, len, offset);
}
