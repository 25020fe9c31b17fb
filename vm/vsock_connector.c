/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connector of --vsock. It is given port numbers and answers with sockets connected to PATH_PORT, or with
 * the reason why not. It keeps one descriptor, waits for nobody but hvrun (a unix socket that is not
 * blocking connects at once or not at all), and may make nothing but these system calls.
 */
#include "vm/vsock_connector.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "base/fd_message.h"
#include "vm/sandbox/sandbox.h"
#include "vm/user.h"
#include "vm/vsock.h"

ssize_t vsock_receive(int fd, void *to, size_t len, int *passed)
{
	struct fd_message got = { .count = 0 };
	ssize_t n = fd_message_receive(fd, to, len, 0, 1, &got);

	/* Who sends more than one sends none. */
	if (got.cut)
		fd_message_close(&got);
	*passed = fd_message_take(&got);
	/* Longer than any message of the protocol: not the right length, whatever it is. */
	return n == -EMSGSIZE ? (ssize_t)len + 1 : n;
}

/* In the child from here on. */

/* A connected socket, or -errno. */
static int connect_port(const char *path, uint32_t port)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	/* cli/ has seen to it that the longest such name fits. */
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s_%" PRIu32, path, port);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int answer(int to, const struct vsock_ask *ask, int fd)
{
	const struct vsock_answer words = { ask->cookie, ask->boot, fd < 0 ? -fd : 0 };
	ssize_t n = fd_message_send(to, &words, sizeof(words), 0, &fd, fd >= 0);

	return n < 0 ? (int)n : 0;
}

static int become(const struct sandbox_user *user)
{
	if (!user->set)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}

/* The calls of the loop below, and the end. */
static int lock_in(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch_audit, 0, 10),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvmsg, 9, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 8, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

/* One ask; false when that was the last. */
static bool serve_one(int fd, const char *path)
{
	struct vsock_ask ask = { 0 };
	int stray;
	ssize_t n = vsock_receive(fd, &ask, sizeof(ask), &stray);
	int got, r;

	if (stray >= 0)
		close(stray); /* nobody has to keep any here */
	if (n != (ssize_t)sizeof(ask))
		return false;
	got = connect_port(path, ask.port);
	r = answer(fd, &ask, got);
	if (got >= 0)
		close(got);
	return r == 0;
}

void vsock_connector_serve(int fd, const char *path)
{
	while (serve_one(fd, path))
		;
}

__attribute__((noreturn)) static void run(const struct vm_config *config,
					  const struct sandbox_user *user, int fd)
{
	bool locked = config->sandbox != VM_SANDBOX_OFF && sandbox_possible();
	sigset_t all;
	int r = 0;

	/* It ends with us and by nothing else; keys of our terminal are ours. */
	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)prctl(PR_SET_NAME, "hvrun-connector");
	if (dup3(fd, 0, 0) < 0 || close_range(1, ~0U, 0) < 0 || become(user) < 0)
		r = 1;
	if (!r && locked && lock_in() < 0)
		r = 1;
	if (!r)
		vsock_connector_serve(0, config->vsock_path);
	_exit(r); /* check-layers: allowed, the child is not hvrun */
}

int vsock_connector_start(const struct vm_config *config, int *fd)
{
	struct sandbox_user user = { .set = false };
	int ends[2];
	pid_t pid;

	if (config->user && config->sandbox != VM_SANDBOX_OFF && sandbox_possible() &&
	    user_find(config->user, &user))
		return -EINVAL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		run(config, &user, ends[1]);
	close(ends[1]);
	if (pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		close(ends[0]);
		return -EAGAIN;
	}
	*fd = ends[0];
	return 0;
}
